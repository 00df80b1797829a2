// A client of Go's net/http, with nothing set: what it prints is compared by the case.
//
//	go-client ECHO_HOST EDGE_HOST LIVE_HOST
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"time"
)

type seen struct {
	Method, Path, Target, Version string
	BodyBytes                     int64
	BodySha256                    string
	Trailers                      [][]string
}

var results = map[string]any{}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: go-client ECHO_HOST EDGE_HOST LIVE_HOST")
		os.Exit(2)
	}
	echo, edge, live := "https://"+os.Args[1], "https://"+os.Args[2], "https://"+os.Args[3]
	get(echo)
	upload(echo)
	trailers(edge)
	expect(edge)
	hints(edge)
	head(edge)
	events(live)
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		os.Exit(1)
	}
}

func note(name string, err error, value any) {
	if err != nil {
		value = "failed: " + err.Error()
	}
	results[name] = value
}

func read(response *http.Response) (seen, error) {
	defer response.Body.Close()
	var what seen
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return what, fmt.Errorf("%s: %s", response.Status, text)
	}
	return what, json.NewDecoder(response.Body).Decode(&what)
}

func get(echo string) {
	response, err := http.Get(echo + "/v1/things?x=1")
	if err != nil {
		note("get", err, nil)
		return
	}
	what, err := read(response)
	note("get", err, response.Proto+" "+what.Method+" "+what.Path)
}

func upload(echo string) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	digest := sha256.Sum256(body)
	// Of unknown length, so that it is chunked where HTTP/1.1 is spoken.
	response, err := http.Post(echo+"/upload", "application/octet-stream", io.MultiReader(bytes.NewReader(body)))
	if err != nil {
		note("upload", err, nil)
		return
	}
	what, err := read(response)
	note("upload", err, fmt.Sprint(what.BodyBytes, " ", what.BodySha256 == hex.EncodeToString(digest[:])))
}

func trailers(edge string) {
	request, _ := http.NewRequest(http.MethodPost, edge+"/echo", io.MultiReader(strings.NewReader("body")))
	request.Trailer = http.Header{"X-Sum": []string{"7"}}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		note("request trailers", err, nil)
		return
	}
	what, err := read(response)
	note("request trailers", err, what.Trailers)
	response, err = http.Get(edge + "/trailers")
	if err != nil {
		note("response trailers", err, nil)
		return
	}
	text, err := io.ReadAll(response.Body)
	note("response trailers", err, string(text)+" "+response.Trailer.Get("X-Checksum"))
}

func expect(edge string) {
	request, _ := http.NewRequest(http.MethodPost, edge+"/continue", strings.NewReader("expected"))
	request.Header.Set("Expect", "100-continue")
	client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: 10 * time.Second}}
	response, err := client.Do(request)
	if err != nil {
		note("expect", err, nil)
		return
	}
	what, err := read(response)
	note("expect", err, what.BodyBytes)
}

func hints(edge string) {
	got := 0
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		got += code
		return nil
	}}
	request, _ := http.NewRequestWithContext(
		httptrace.WithClientTrace(context.Background(), trace), http.MethodGet, edge+"/early-hints", nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		note("early hints", err, nil)
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	// Interim answers are the server's to send and anybody's on the way to leave out.
	note("early hints", err, string(text)+fmt.Sprint(" ", got == 0 || got == 206))
}

func head(edge string) {
	response, err := http.Head(edge + "/length")
	if err != nil {
		note("head", err, nil)
		return
	}
	note("head", nil, fmt.Sprint(response.StatusCode, " ", response.ContentLength))
}

func events(live string) {
	response, err := http.Get(live + "/events?count=3&pause=0.2")
	if err != nil {
		note("events", err, nil)
		return
	}
	defer response.Body.Close()
	var data []string
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if text, found := strings.CutPrefix(lines.Text(), "data: "); found {
			data = append(data, text)
		}
	}
	note("events", lines.Err(), strings.Join(data, " "))
}

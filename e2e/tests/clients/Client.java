import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** Java's HttpClient, with nothing set. Prints a line `name: what it got` for each act. */
public class Client {
    static final byte[] BODY = new byte[1 << 20];

    public static void main(String[] hosts) {
        String echo = "https://" + hosts[0], edge = "https://" + hosts[1], live = hosts[2];
        HttpClient client = HttpClient.newHttpClient();
        HttpClient old = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        note("get", () -> page(client, echo));
        note("get h1", () -> page(old, echo));
        note("upload", () -> upload(client, echo));
        note("upload h1", () -> upload(old, echo));
        note("expect", () -> {
            var request = HttpRequest.newBuilder(URI.create(edge + "/continue")).expectContinue(true)
                .POST(BodyPublishers.ofByteArray(BODY)).build();
            return field(old.send(request, BodyHandlers.ofString()).body(), "bodyBytes");
        });
        note("head", () -> {
            var request = HttpRequest.newBuilder(URI.create(edge + "/length"))
                .method("HEAD", BodyPublishers.noBody()).build();
            var answer = client.send(request, BodyHandlers.discarding());
            return answer.statusCode() + " " + answer.headers().firstValue("content-length").orElse("none");
        });
        note("events", () -> {
            var request = HttpRequest.newBuilder(URI.create("https://" + live + "/events?count=3&pause=0.2")).build();
            return client.send(request, BodyHandlers.ofLines()).body().filter(line -> line.startsWith("data: ")).count();
        });
        note("websocket", () -> websocket(client, live));
    }

    static void note(String name, Callable<Object> ask) {
        try {
            System.out.println(name + ": " + ask.call());
        } catch (Exception error) {
            System.out.println(name + ": failed: " + error);
        }
    }

    static String page(HttpClient client, String echo) throws Exception {
        var answer = client.send(HttpRequest.newBuilder(URI.create(echo + "/page")).build(), BodyHandlers.ofString());
        return answer.statusCode() + " " + answer.version();
    }

    static String upload(HttpClient client, String echo) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(echo + "/up")).POST(BodyPublishers.ofByteArray(BODY)).build();
        return field(client.send(request, BodyHandlers.ofString()).body(), "bodyBytes");
    }

    static String field(String json, String name) {
        var found = Pattern.compile("\"" + name + "\": ?(\\d+)").matcher(json);
        return found.find() ? found.group(1) : json;
    }

    static String websocket(HttpClient client, String live) throws Exception {
        var got = new CompletableFuture<String>();
        var listener = new WebSocket.Listener() {
            @Override
            public CompletionStage<?> onText(WebSocket socket, CharSequence text, boolean last) {
                got.complete(text.toString());
                return null;
            }
        };
        var socket = client.newWebSocketBuilder().buildAsync(URI.create("wss://" + live + "/ws"), listener).get(10, TimeUnit.SECONDS);
        socket.request(1);
        socket.sendText("text", true).get(10, TimeUnit.SECONDS);
        String text = got.get(10, TimeUnit.SECONDS);
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(10, TimeUnit.SECONDS);
        return text;
    }
}

module exeat.dev/go-client

go 1.21

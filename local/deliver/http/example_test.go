package httpendpoint_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	httpendpoint "github.com/hydrant-go/hydrant/local/deliver/http"
)

// An endpoint that takes one request and is too busy for the next.
func Example() {
	busy := false
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			RequestID string
			Records   []struct{ Data []byte }
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			log.Print(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if busy {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		busy = true
		fmt.Printf("got %q and %q\n", request.Records[0].Data, request.Records[1].Data)
		_ = json.NewEncoder(w).Encode(map[string]any{"requestId": request.RequestID, "timestamp": time.Now().UnixMilli()})
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	e, err := httpendpoint.New(httpendpoint.Config{
		URL:       srv.URL,
		AllowHTTP: true, // another port than 443
		SourceARN: "arn:aws:firehose:us-east-1:123456789012:deliverystream/logs",
		TLS:       &tls.Config{RootCAs: roots},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	fmt.Println("failures:", len(e.Deliver(ctx, [][]byte{[]byte("a\n"), []byte("b\n")})))
	for _, f := range e.Deliver(ctx, [][]byte{[]byte("c\n")}) {
		fmt.Println(f.Code, "after", f.Attempts, "attempt")
	}
	// Output:
	// got "a\n" and "b\n"
	// failures: 0
	// HttpEndpoint.DestinationException after 1 attempt
}

// Tenants sends each line of standard input to the delivery stream of its tenant:
// one producer, any number of streams, one buffer that they share. A line is
// "TENANT text", and its stream PREFIX-TENANT.
//
//	printf 'a one\nb two\n' | go run ./examples/tenants PREFIX
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/hydrant-go/hydrant"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: tenants PREFIX < lines")
	}
	if err := send(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func send(ctx context.Context, prefix string) error {
	p, err := hydrant.New(ctx, hydrant.Config{
		Route: func(line []byte) string {
			tenant, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
			return prefix + "-" + string(tenant)
		},
		// What cannot be delivered, such as a line of a tenant without a stream.
		DeadLetter: hydrant.NewDeadLetterFile("dead-letter.ndjson"),
	})
	if err != nil {
		return err
	}
	lines := p.LineWriter(ctx) // waits while the buffer is full
	_, readErr := io.Copy(lines, os.Stdin)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := errors.Join(readErr, lines.Close(), p.Close(ctx)); err != nil {
		return err
	}
	s := p.Stats()
	fmt.Printf("%d delivered, %d in the dead letter\n", s.Delivered, s.DeadLettered)
	return nil
}

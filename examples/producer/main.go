// Producer sends the lines of standard input with Hydrant's producer, which
// batches, retries and accounts for them.
//
//	hydrant generate | go run ./examples/producer STREAM
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/hydrant-go/hydrant"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: producer STREAM < lines")
	}
	if err := send(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func send(ctx context.Context, stream string) error {
	p, err := hydrant.New(ctx, hydrant.Config{
		Stream:     stream,
		DeadLetter: hydrant.NewDeadLetterFile("dead-letter.ndjson"),
	})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if err := p.Put(ctx, lines.Bytes()); err != nil { // waits while the buffer is full
			return err
		}
	}
	// Close sends what is buffered. Give it a time limit: it returns the records
	// that it could not deliver by then.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		return err
	}
	s := p.Stats()
	fmt.Printf("%d delivered, %d in the dead letter, %d sent again, %d bytes billed\n",
		s.Delivered, s.DeadLettered, s.Retries, s.BilledBytes)
	return lines.Err()
}

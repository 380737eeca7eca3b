package spool_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/hydrant-go/hydrant/spool"
)

// What was appended and not acknowledged is there after a restart.
func Example() {
	dir, err := os.MkdirTemp("", "spool-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	open := func() (*spool.Spool, *spool.Queue) {
		s, err := spool.Open(dir, spool.Options{})
		if err != nil {
			log.Fatal(err)
		}
		q, err := s.Queue("jobs")
		if err != nil {
			log.Fatal(err)
		}
		return s, q
	}
	s, q := open()
	first, err := q.Append(context.Background(), spool.Record{Data: []byte("one")}, spool.Record{Data: []byte("two")})
	if err != nil {
		log.Fatal(err)
	}
	q.Ack(spool.Range{First: first, N: 1})
	if err := s.Close(); err != nil {
		log.Fatal(err)
	}

	s, q = open()
	records, err := q.Read(nil, 1<<20)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range records {
		fmt.Printf("%d: %s\n", r.Number, r.Data)
	}
	if err := s.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 2: two
}

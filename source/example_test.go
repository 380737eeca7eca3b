package source_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hydrant-go/hydrant/source"
)

func ExampleReader_Records() {
	r := source.NewReader(strings.NewReader("{\"a\":1}\n{\"a\":\n{\"a\":3}\n"), source.Auto)
	for rec, err := range r.Records() {
		if err != nil {
			fmt.Println(err)
			return
		}
		if rec.Err != nil {
			fmt.Printf("line %d: %v\n", rec.Line, rec.Err)
			continue
		}
		fmt.Printf("line %d: %s", rec.Line, rec.Data)
	}
	fmt.Println(r.Format())
	// Output:
	// line 1: {"a":1}
	// line 2: not valid JSON at offset 13: unexpected end of JSON input
	// line 3: {"a":3}
	// ndjson
}

// The checkpoint moves as records are done, in whatever order.
func ExampleFollow() {
	dir, err := os.MkdirTemp("", "logs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	log := filepath.Join(dir, "app.log")
	if err := os.WriteFile(log, []byte("started\nworking\nsto"), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	f, err := source.Follow(source.FollowConfig{
		Paths: []string{filepath.Join(dir, "**", "*.log")},
		State: filepath.Join(dir, "checkpoints.json"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	records, err := f.Next(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range records {
		fmt.Printf("%d: %s", r.Offset, r.Data)
	}
	f.Done(records[1].Mark) // the second is delivered, the first not yet
	fmt.Println("settled", f.Files()[0].Settled)
	f.Done(records[0].Mark)
	fmt.Println("settled", f.Files()[0].Settled)
	// Output:
	// 0: started
	// 8: working
	// settled 0
	// settled 16
}

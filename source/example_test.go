package source_test

import (
	"fmt"
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

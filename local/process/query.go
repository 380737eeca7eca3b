package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// maxQuery is how long a query may take for one record. It is ours: AWS bills
// the time and tells no bound. Nothing bounds its memory.
const maxQuery = time.Second

// Seen in users' error objects.
const (
	codeMetadata  = "DynamicPartitioning.MetadataExtractionFailed"
	messageNoJSON = "Non JSON record provided"
	messageNoKey  = "partitionKeys values must not be null or empty"
)

// query is MetadataExtraction: a jq query that gives an object of partition
// keys. gojq is not jq 1.6 to the letter; its README lists the differences,
// most of which are mistakes of jq. Numbers are kept as they are written, where
// jq 1.6 makes them doubles; what AWS's own engine does is not known.
type query struct {
	code *gojq.Code
	keys []string // nil is not known
	max  time.Duration
}

func newQuery(text string) (*query, error) {
	parsed, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(parsed) // without environment, modules and further input
	if err != nil {
		return nil, err
	}
	return &query{code: code, keys: queryKeys(parsed), max: maxQuery}, nil
}

// queryKeys is the keys of a query that ends in an object: {a: .b, "c": .d}.
func queryKeys(q *gojq.Query) (keys []string) {
	for q.Op == gojq.OpPipe {
		q = q.Right
	}
	if q.Term == nil || q.Term.Object == nil || len(q.Term.SuffixList) > 0 {
		return nil
	}
	for _, kv := range q.Term.Object.KeyVals {
		switch {
		case kv.Key != "":
			keys = append(keys, strings.TrimPrefix(kv.Key, "$"))
		case kv.KeyString != nil && kv.KeyString.Queries == nil:
			keys = append(keys, kv.KeyString.Str)
		default:
			return nil
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (q *query) run(ctx context.Context, r Record) ([]Record, *Failed) {
	keys, why := q.extract(ctx, r.Data)
	if why != "" {
		return nil, r.fails(MetadataExtractionFailed, codeMetadata, why)
	}
	r.FromQuery = keys
	return []Record{r}, nil
}

// extract gives a record's keys, or tells why it can't. But for the two texts
// above, what it tells is ours.
func (q *query) extract(ctx context.Context, data []byte) (keys map[string]string, why string) {
	in, ok := decodeOne(data)
	if !ok {
		return nil, messageNoJSON
	}
	ctx, cancel := context.WithTimeout(ctx, q.max)
	defer cancel()
	results := q.code.RunWithContext(ctx, in)
	first, ok := results.Next()
	if err, bad := first.(error); bad {
		if ctx.Err() != nil {
			return nil, fmt.Sprintf("the query takes more than %v for this record", q.max)
		}
		return nil, err.Error()
	}
	object, isObject := first.(map[string]any)
	if !ok || !isObject {
		return nil, "the query must give an object of partition keys, such as {key: .member}"
	}
	if _, more := results.Next(); more {
		return nil, "the query gives more than one result for this record"
	}
	return partitionKeys(object)
}

// decodeOne decodes what must be one JSON value.
func decodeOne(data []byte) (v any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil, false
	}
	_, err := dec.Token()
	return v, err == io.EOF
}

// partitionKeys makes text of values, which are strings, numbers and booleans,
// or tells why it can't.
func partitionKeys(values map[string]any) (keys map[string]string, why string) {
	keys = make(map[string]string, len(values))
	for name, v := range values {
		switch v := v.(type) {
		case nil:
		case string:
			keys[name] = v
		case map[string]any, []any:
			return nil, fmt.Sprintf("partitionKeys values must be strings, numbers or booleans, and that of %q is none of them", name)
		default:
			text, _ := gojq.Marshal(v) // it knows every value that a query gives
			keys[name] = string(text)
		}
		if keys[name] == "" {
			return nil, messageNoKey
		}
	}
	return keys, ""
}

package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// maxQuery is how long a query may take for one record. It is ours: AWS bills
// the time and tells no bound.
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
	keys, err := q.extract(ctx, r.Data)
	if err != nil {
		return nil, r.fails(MetadataExtractionFailed, codeMetadata, err.Error())
	}
	r.FromQuery = keys
	return []Record{r}, nil
}

// extract gives a record's keys. The text of the error is for the error line.
func (q *query) extract(ctx context.Context, data []byte) (map[string]string, error) {
	in, ok := decodeOne(data)
	if !ok {
		return nil, errors.New(messageNoJSON)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, q.max, fmt.Errorf("the query takes more than %v for this record", q.max))
	defer cancel()
	results := q.code.RunWithContext(ctx, in)
	first, ok := results.Next()
	if err, bad := first.(error); bad {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	object, isObject := first.(map[string]any)
	if !ok || !isObject {
		return nil, errors.New("the query must give an object of partition keys, such as {key: .member}")
	}
	if _, more := results.Next(); more {
		return nil, errors.New("the query gives more than one result for this record")
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

// partitionKeys makes text of values, which are strings, numbers and booleans.
func partitionKeys(values map[string]any) (map[string]string, error) {
	keys := make(map[string]string, len(values))
	for name, v := range values {
		switch v := v.(type) {
		case nil:
		case string:
			keys[name] = v
		case map[string]any, []any:
			return nil, fmt.Errorf("partitionKeys values must be strings, numbers or booleans, and that of %q is none of them", name)
		default:
			text, err := gojq.Marshal(v)
			if err != nil {
				return nil, err
			}
			keys[name] = string(text)
		}
		if keys[name] == "" {
			return nil, errors.New(messageNoKey)
		}
	}
	return keys, nil
}

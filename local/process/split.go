package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// maxSub is how many records may be in one: one that holds more is not split
// at all (API reference, PutRecordBatch).
const maxSub = 500

// splitting is RecordDeAggregation. wholeRaw is Record.Raw of the whole.
func splitting(split func([]byte) [][]byte, wholeRaw bool) stage {
	return each(func(_ context.Context, r Record) ([]Record, *Failed) {
		parts := split(r.Data)
		if len(parts) == 0 {
			return []Record{r}, nil
		}
		out := make([]Record, len(parts))
		for i, part := range parts {
			out[i] = r
			out[i].Data = part
			out[i].ID = fmt.Sprintf("%s.%03d", r.ID, i)
			switch {
			case !wholeRaw:
				out[i].Raw, out[i].Put = part, len(part)
			case i > 0:
				out[i].Put = 0
			}
		}
		return out, nil
	})
}

// splitJSON takes JSON objects apart that follow each other with white space or
// nothing between them, which is left out. It returns nil for what it can't
// split: more than 500, anything but objects (an array is no valid input, says
// the developer guide, aggregated data), or nothing. What AWS makes of bytes
// that are only partly JSON objects is not known; here the record stays whole,
// so that none of it is lost.
func splitJSON(data []byte) (parts [][]byte) {
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n")
		if len(rest) == 0 {
			return parts
		}
		if rest[0] != '{' || len(parts) == maxSub || dec.Decode(new(skipped)) != nil {
			return nil
		}
		begin, end := len(data)-len(rest), int(dec.InputOffset())
		parts = append(parts, data[begin:end:end])
	}
}

// skipped takes any JSON value and keeps nothing of it.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }

// splitDelimited cuts at every delimiter, which is left out. It returns nil
// when there are more than 500 parts. That empty parts are no records is an
// assumption: a delimiter at the end is common.
func splitDelimited(delimiter []byte) func([]byte) [][]byte {
	return func(data []byte) (parts [][]byte) {
		for part := range bytes.SplitSeq(data, delimiter) {
			if len(part) == 0 {
				continue
			}
			if len(parts) == maxSub {
				return nil
			}
			parts = append(parts, part[:len(part):len(part)])
		}
		return parts
	}
}

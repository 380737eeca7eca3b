package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for name, test := range map[string]struct {
		by   Processor
		in   string
		want []string // nil: the record stays whole
	}{
		"on one line":             {byJSON, `{"a":1}{"a":2}`, []string{`{"a":1}`, `{"a":2}`}},
		"lines":                   {byJSON, "{\"a\":1}\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}},
		"other white space":       {byJSON, "\r\n {\"a\": 1}\t\t{\"a\":2} ", []string{`{"a": 1}`, `{"a":2}`}},
		"lines within an object":  {byJSON, "{\n \"a\": 1\n}\n{}", []string{"{\n \"a\": 1\n}", "{}"}},
		"braces in strings":       {byJSON, `{"a":"}{"}{"a\"":[{}]}`, []string{`{"a":"}{"}`, `{"a\"":[{}]}`}},
		"one with a line end":     {byJSON, "{}\n", []string{"{}"}},
		"an array":                {byJSON, `[{"a":1},{"a":2}]`, nil},
		"commas between":          {byJSON, `{"a":1},{"a":2}`, nil},
		"other values":            {byJSON, `{"a":1} 2`, nil},
		"cut off":                 {byJSON, `{"a":1}{"a":`, nil},
		"text":                    {byJSON, "a line of text", nil},
		"nothing":                 {byJSON, "", nil},
		"white space":             {byJSON, "\n", nil},
		"500":                     {byJSON, strings.Repeat("{}", 500), slices.Repeat([]string{"{}"}, 500)},
		"501":                     {byJSON, strings.Repeat("{}", 501), nil},
		"delimited":               {byHashes, "a####b#c####d", []string{"a", "b#c", "d"}},
		"delimited, empty parts":  {byHashes, "####a########b####", []string{"a", "b"}},
		"delimited, newlines":     {byHashes, "a\n####\nb", []string{"a\n", "\nb"}},
		"no delimiter":            {byHashes, "ab", []string{"ab"}},
		"delimited, nothing":      {byHashes, "####", nil},
		"delimited, 500 of them":  {byHashes, strings.Repeat("x####", 500), slices.Repeat([]string{"x"}, 500)},
		"delimited, 501 of them":  {byHashes, strings.Repeat("x####", 501), nil},
		"delimited by a line end": {processor("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "Cg=="), "a\nb\n", []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, failed := run(t, chain(t, test.by), records(test.in)...)
			if failed != nil {
				t.Fatal(failed)
			}
			if test.want == nil {
				if diff := cmp.Diff(Record{Data: []byte(test.in), ID: "r0", Arrival: arrival, Raw: []byte(test.in), Put: len(test.in)}, out[0]); len(out) != 1 || diff != "" {
					t.Errorf("%d records (-want +got):\n%s", len(out), diff)
				}
				return
			}
			if diff := cmp.Diff(test.want, datas(out)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			ids := map[string]bool{}
			for _, r := range out {
				ids[r.ID] = true
				if !bytes.Equal(r.Raw, r.Data) || r.Put != len(r.Raw) || !r.Arrival.Equal(arrival) {
					t.Errorf("raw %q, %d bytes put, of %q, arrival %v", r.Raw, r.Put, r.Data, r.Arrival)
				}
			}
			if len(ids) != len(out) {
				t.Errorf("%d ids for %d records", len(ids), len(out))
			}
		})
	}
}

// TestTooManyFail is what users met: a record of more than 500 stays whole, and
// then has no partition key.
func TestTooManyFail(t *testing.T) {
	c := chain(t, byJSON, querying("{a: .a}"))
	in := strings.Repeat(`{"a":1}`, 501)
	out, failed := run(t, c, records(in, strings.Repeat(`{"a":1}`, 500))...)
	if len(out) != 500 || len(failed) != 1 {
		t.Fatalf("%d out, %d failed", len(out), len(failed))
	}
	f := failed[0]
	if f.Type != "metadata-extraction-failed" || f.Code != "DynamicPartitioning.MetadataExtractionFailed" || f.Message != "Non JSON record provided" || string(f.Record.Raw) != in {
		t.Errorf("%s %s %s", f.Type, f.Code, f.Message)
	}
}

// TestSplitUndoesJoin joins random objects in all the ways that are allowed.
func TestSplitUndoesJoin(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	gaps := []string{"", " ", "\n", "\r\n", "\t"}
	for range 300 {
		var want []string
		in := ""
		for range 1 + rnd.IntN(20) {
			object, err := json.Marshal(map[string]any{"v": randomValue(rnd, 3), fmt.Sprint(rnd.IntN(9)): nil})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(object))
			in += string(object) + gaps[rnd.IntN(len(gaps))]
		}
		var got []string
		for _, part := range splitJSON([]byte(in)) {
			got = append(got, string(part))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d, input %q (-want +got):\n%s", seed, in, diff)
		}
	}
}

func randomValue(rnd *rand.Rand, depth int) any {
	if depth == 0 {
		return []any{nil, true, rnd.NormFloat64(), "}{\"\\\n", "é"}[rnd.IntN(5)]
	}
	if rnd.IntN(2) == 0 {
		return []any{randomValue(rnd, depth-1), randomValue(rnd, depth-1)}
	}
	return map[string]any{"{": randomValue(rnd, depth-1)}
}

// FuzzSplitJSON: what is split is JSON objects, and with the white space
// between them it is the input; what is not split really can't be.
func FuzzSplitJSON(f *testing.F) {
	for _, seed := range []string{`{"a":1}{"a":2}`, "{}\n{}\n", `[{}]`, `{"a":"}{"}`, `{`, "", " ", `{}x`, `{"a":{"b":[1,2,{}]}} {}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		parts := splitJSON(in)
		if parts == nil {
			if n := countObjects(in); n > 0 && n <= maxSub {
				t.Fatalf("%q is %d objects and was not split", in, n)
			}
			return
		}
		rest := in
		for _, part := range parts {
			if part[0] != '{' || !json.Valid(part) {
				t.Fatalf("%q gives %q", in, part)
			}
			rest = bytes.TrimLeft(rest, " \t\r\n")
			var ok bool
			if rest, ok = bytes.CutPrefix(rest, part); !ok {
				t.Fatalf("%q gives %q out of place", in, part)
			}
		}
		if len(bytes.TrimLeft(rest, " \t\r\n")) > 0 || len(parts) > maxSub {
			t.Fatalf("%q gives %d parts and leaves %q", in, len(parts), rest)
		}
	})
}

// countObjects counts objects that follow each other, by way of the slow road:
// every prefix that is one. It is -1 when there is anything else.
func countObjects(in []byte) int {
	n := 0
	for rest := in; ; n++ {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if len(rest) == 0 {
			return n
		}
		end := -1
		for i := range rest {
			if rest[0] == '{' && rest[i] == '}' && json.Valid(rest[:i+1]) {
				end = i + 1
				break
			}
		}
		if end < 0 {
			return -1
		}
		rest = rest[end:]
	}
}

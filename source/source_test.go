package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	valid "github.com/segmentio/encoding/json"
)

// row is a Record that outlives its step.
type row struct {
	Data              string
	Line, Offset, End int64
	Bad               string
}

// readAll returns everything that r yields, and the error that ended it.
func readAll(r *Reader) (rows []row, err error) {
	for rec, err := range r.Records() {
		if err != nil {
			return rows, err
		}
		got := row{string(rec.Data), rec.Line, rec.Offset, rec.End, ""}
		if rec.Err != nil {
			got.Bad = rec.Err.Error()
		}
		rows = append(rows, got)
	}
	return rows, nil
}

func data(rows []row) (out []string) {
	for _, r := range rows {
		out = append(out, r.Data)
	}
	return out
}

// chopped returns readers of s that give it in different pieces.
func chopped(s string) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":    strings.NewReader(s),
		"one byte": iotest.OneByteReader(strings.NewReader(s)),
		"half":     iotest.HalfReader(strings.NewReader(s)),
		"data err": iotest.DataErrReader(strings.NewReader(s)),
	}
}

func TestRecords(t *testing.T) {
	tests := []struct {
		name   string
		format Format
		in     string
		want   []row
		err    string
	}{
		{name: "empty", format: Lines, in: ""},
		{name: "empty array input", format: JSONArray, in: " \n"},
		{name: "lines", format: Lines, in: "a\n\nb\r\nc", want: []row{
			{"a\n", 1, 0, 2, ""}, {"\n", 2, 2, 3, ""}, {"b\r\n", 3, 3, 6, ""}, {"c", 4, 6, 7, ""},
		}},
		{name: "byte order mark", format: Lines, in: "\xef\xbb\xbfa\n\xef\xbb\xbfb\n", want: []row{
			{"a\n", 1, 3, 5, ""}, {"\xef\xbb\xbfb\n", 2, 5, 10, ""},
		}},
		{name: "part of a mark", format: Lines, in: "\xef\xbb", want: []row{{"\xef\xbb", 1, 0, 2, ""}}},
		{name: "not utf-8", format: Lines, in: "\xff\x00\n", want: []row{{"\xff\x00\n", 1, 0, 3, ""}}},

		{name: "ndjson", format: NDJSON, in: "{\"a\":1}\n \t\r\n\n 2 \r\nnull", want: []row{
			{"{\"a\":1}\n", 1, 0, 8, ""}, {" 2 \r\n", 4, 13, 18, ""}, {"null", 5, 18, 22, ""},
		}},
		{name: "bad ndjson", format: NDJSON, in: "1\n{\"a\":x}\n2 3\n{\"a\":\n4\n", want: []row{
			{"1\n", 1, 0, 2, ""},
			{"{\"a\":x}\n", 2, 2, 10, "not valid JSON at offset 7: invalid character 'x' looking for beginning of value"},
			{"2 3\n", 3, 10, 14, "not valid JSON at offset 12: invalid character '3' after top-level value"},
			{"{\"a\":\n", 4, 14, 20, "not valid JSON at offset 19: unexpected end of JSON input"},
			{"4\n", 5, 20, 22, ""},
		}},

		{name: "array", format: JSONArray, in: "\n[ {\"a\": [1,\n 2]} ,\"x,]\\\"\\\\\",3,\n true,[[]], {} ]\n ", want: []row{
			{`{"a":[1,2]}`, 2, 3, 17, ""},
			{`"x,]\"\\"`, 3, 19, 28, ""},
			{"3", 3, 29, 30, ""},
			{"true", 4, 33, 37, ""},
			{"[[]]", 4, 38, 42, ""},
			{"{}", 4, 44, 46, ""},
		}},
		{name: "empty array", format: JSONArray, in: "[ \n]"},
		{
			name: "not an array", format: JSONArray, in: "{}",
			err: "line 1, offset 0: a JSON array begins with [, not with '{'",
		},
		{
			name: "broken element", format: JSONArray, in: "[1,\n {\"a\":\n x}, 2]", want: []row{{"1", 1, 1, 2, ""}},
			err: "line 3, offset 12: broken JSON in an element of the array: invalid character 'x'",
		},
		{
			name: "missing quote", format: JSONArray, in: "[1, \"ab, 2,\n\"c\"]", want: []row{{"1", 1, 1, 2, ""}},
			err: "line 1, offset 11: broken JSON in an element of the array: invalid character '\\n' in string literal",
		},
		{
			name: "missing bracket", format: JSONArray, in: "[{\"a\":1,\n{\"a\":2}]",
			err: "line 2, offset 9: broken JSON in an element of the array: invalid character '{'",
		},
		{
			name: "missing bracket at the end of the input", format: JSONArray, in: "[{\"a\":1,\n{\"a\":2},",
			err: "line 2, offset 9: broken JSON in an element of the array: invalid character '{'",
		},
		{
			name: "wrong bracket", format: JSONArray, in: `[{"a":1]]`,
			err: "line 1, offset 7: broken JSON in an element of the array: invalid character ']'",
		},
		{
			name: "missing comma", format: JSONArray, in: "[1 2]", want: []row{{"1", 1, 1, 2, ""}},
			err: "line 1, offset 3: '2' where a comma or the end of the JSON array should be",
		},
		{
			name: "comma at the end", format: JSONArray, in: "[1,\n]", want: []row{{"1", 1, 1, 2, ""}},
			err: "line 2, offset 4: a comma before the end of the JSON array",
		},
		{
			name: "comma at the start", format: JSONArray, in: "[,1]",
			err: "line 1, offset 1: ',' where an element of the JSON array should be",
		},
		{
			name: "two commas", format: JSONArray, in: "[1,,2]", want: []row{{"1", 1, 1, 2, ""}},
			err: "line 1, offset 3: ',' where an element of the JSON array should be",
		},
		{
			name: "text after the array", format: JSONArray, in: "[1]\n[2]", want: []row{{"1", 1, 1, 2, ""}},
			err: "line 2, offset 4: '[' after the end of the JSON array",
		},
		{
			name: "cut in an element", format: JSONArray, in: "[{\"a\":1},\n {\"a\":", want: []row{{`{"a":1}`, 1, 1, 8, ""}},
			err: "line 2, offset 11: the input ends inside the JSON array: unexpected EOF",
		},
		{name: "cut in a number", format: JSONArray, in: "[12", err: "line 1, offset 1: the input ends inside the JSON array"},
		{
			name: "cut after an element", format: JSONArray, in: "[{}", want: []row{{"{}", 1, 1, 3, ""}},
			err: "line 1, offset 3: the input ends inside the JSON array",
		},
		{
			name: "cut after a comma", format: JSONArray, in: "[{}, ", want: []row{{"{}", 1, 1, 3, ""}},
			err: "line 1, offset 5: the input ends inside the JSON array",
		},
		{name: "unknown format", format: 9, in: "x", err: "no format Format(9)"},
	}
	for _, tt := range tests {
		for how, in := range chopped(tt.in) {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				rows, err := readAll(NewReader(in, tt.format))
				if diff := cmp.Diff(tt.want, rows); diff != "" {
					t.Errorf("records of %q (-want +got):\n%s", tt.in, diff)
				}
				if got := fmt.Sprint(err); tt.err == "" && err != nil || !strings.Contains(got, tt.err) {
					t.Errorf("error of %q: %v, want %q", tt.in, err, tt.err)
				}
			})
		}
	}
}

func TestAuto(t *testing.T) {
	long := strings.Repeat("x", lookAhead)
	tests := []struct {
		name, in string
		want     Format
	}{
		{"empty", "", Lines},
		{"white space", " \n\t", Lines},
		{"text", "hello\n", Lines},
		{"text without a line end", "hello", Lines},
		{"long text", long + long, Lines},
		{"log with a time", "[2026-01-01 10:00:00] started\n[2026-01-01 10:00:01] on\n", Lines},
		{"log with a level", "[info] started\n", Lines},
		{"log with a number", "[    0.000000] booting\n[    0.000001] on\n", Lines},
		{"log with two numbers", "[1,2] x\n", Lines},
		{"log with a quote", "[\"main] x\n[\"main] y\n", Lines},
		{"log with two brackets", "[[main] x\n[[main] y\n", Lines},
		{"an array a line", "[1,2]\n[3,4]\n", Lines},
		{"comma first", "[,1]\n", Lines},
		{"pretty object", "{\n  \"a\": 1\n}\n", Lines},
		{"broken object", "{\"a\":\n{\"a\":2}\n", Lines},
		{"object", `{"a":1}`, NDJSON},
		{"objects", "\xef\xbb\xbf\n {\"a\":1}\r\nx\n", NDJSON},
		{"object and text", "{\"a\":1} x\n", Lines},
		{"long object", `{"a":"` + long + `"}`, NDJSON},
		{"long broken object", `{"a":"` + long + `" x}`, NDJSON},
		{"long text in a brace", "{x" + long, Lines},
		{"number", "1\n", Lines},
		{"array", `[{"a":1},{"a":2}]`, JSONArray},
		{"pretty array", "[\n  {\n    \"a\": 1\n  }\n]\n", JSONArray},
		{"array of numbers", " [1]\n\n", JSONArray},
		{"empty array", "[ ]\n", JSONArray},
		{"long array", "[1,\"" + long + "\"]", JSONArray},
		{"long first element", "[{\"a\":\"" + long + "\"}]", JSONArray},
		{"long text in a bracket", "[x" + long, Lines},
		{"long broken element", "[{\"a\":" + long, Lines},
		{"broken after the first element", "[{\"a\":1},{\"a\"", JSONArray},
		{"cut array", "[{\"a\":1}\n", JSONArray},
		{"missing comma", "[{\"a\":1}\n {\"a\":2}\n]", JSONArray},
		{"missing comma between numbers", "[1 2]\n", Lines},
		{"broken second element", "[{\"a\":1},{\"a\":x}]\n", JSONArray},
		{"broken second line", "[1,\nx]\n", JSONArray},
		{"text after some lines", "[1,\n2] x\n", JSONArray},
	}
	for _, tt := range tests {
		for how, in := range chopped(tt.in) {
			if how == "one byte" && len(tt.in) > 1000 {
				continue
			}
			r := NewReader(in, Auto)
			_, _ = readAll(r)
			if got := r.Format(); got != tt.want {
				t.Errorf("%s, read %s: got %v, want %v", tt.name, how, got, tt.want)
			}
		}
	}
}

// A record on a pipe must come out before the next one is written.
func TestRecordsAreNotHeldBack(t *testing.T) {
	tests := []struct {
		format Format
		pieces []string // each completes one record
	}{
		{Lines, []string{"a\n", "b\n"}},
		{Auto, []string{"a\n", "b\n"}},
		{Auto, []string{"[info] a\n", "[info] b\n"}},
		{Auto, []string{"{\"a\":1}\n", "{}\n"}},
		{Auto, []string{"[{\"a\":1},\n", "{}", ",2,"}},
		{NDJSON, []string{"1\n", "\n2\n"}},
		{JSONArray, []string{"[{}", ",\"a\"", ",3 "}},
	}
	for _, tt := range tests {
		pr, pw := io.Pipe()
		step := make(chan string)
		go func() {
			for _, piece := range tt.pieces {
				_, _ = io.WriteString(pw, piece)
				step <- piece
			}
			pw.CloseWithError(errFault)
		}()
		n := 0
		for rec, err := range NewReader(pr, tt.format).Records() {
			if err != nil {
				if err != errFault {
					t.Errorf("%v %q: ended with %v", tt.format, tt.pieces, err)
				}
				break
			}
			if piece := <-step; !strings.Contains(piece, string(rec.Data)) {
				t.Errorf("%v %q: got %q after %q", tt.format, tt.pieces, rec.Data, piece)
			}
			n++
		}
		if n != len(tt.pieces) {
			t.Errorf("%v %q: got %d records", tt.format, tt.pieces, n)
		}
	}
}

var errFault = errors.New("disk on fire")

// After a read error nothing is yielded but the error: what was read of the next
// line is not a line, however much it looks like one.
func TestReadErrorYieldsNoHalfRecord(t *testing.T) {
	tests := []struct {
		format   Format
		in, want string
	}{
		{Lines, "", ""},
		{Lines, "a\nb", "a\n"},
		{Lines, "a\nb\n", "a\nb\n"},
		{Auto, "a", ""},
		{Auto, "{\"a\":1}", ""},
		{Auto, "[1,2", "1"},
		{NDJSON, "1\n2", "1\n"},
		{NDJSON, "1\n{\"a\":1}", "1\n"},
		{JSONArray, "[1,2", "1"},
		{JSONArray, "[1,{\"a\":", "1"},
		{JSONArray, "[1,{}", "1{}"},
		{JSONArray, "[1,", "1"},
		{JSONArray, "[1]", "1"},
		{JSONArray, "", ""},
	}
	for _, tt := range tests {
		for _, text := range []string{tt.in, "\xef\xbb\xbf" + tt.in} {
			for how, in := range chopped(text) {
				in = io.MultiReader(in, iotest.ErrReader(errFault))
				r := NewReader(in, tt.format)
				rows, err := readAll(r)
				if got := strings.Join(data(rows), ""); got != tt.want || err != errFault {
					t.Errorf("%v %q, read %s: got %q and %v, want %q and %v", tt.format, text, how, got, err, tt.want, errFault)
				}
				if rows, err = readAll(r); len(rows) > 0 || err != errFault {
					t.Errorf("%v %q, read %s, once more: got %q and %v", tt.format, text, how, data(rows), err)
				}
			}
		}
	}
	// The error may come with the last bytes.
	r := NewReader(iotest.DataErrReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errFault))), Lines)
	if rows, err := readAll(r); !slices.Equal(data(rows), []string{"a\n"}) || err != errFault {
		t.Errorf("error with data: got %q and %v", data(rows), err)
	}
}

// A source may go on after an error, as a terminal does. What it says then must
// not be joined to what came before.
func TestReadErrorIsFinal(t *testing.T) {
	in := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("\x1fa\nb\n")))
	if rows, err := readAll(NewReader(in, Auto)); len(rows) > 0 || err != iotest.ErrTimeout {
		t.Errorf("got %q and %v, want %v", data(rows), err, iotest.ErrTimeout)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestReaderWithoutProgress(t *testing.T) {
	if rows, err := readAll(NewReader(stuck{}, Auto)); len(rows) > 0 || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %q and %v, want %v", data(rows), err, io.ErrNoProgress)
	}
}

func TestBreakAndGoOn(t *testing.T) {
	for _, in := range []string{"1\n2\n3\n", "[1,2,3]"} {
		r := NewReader(strings.NewReader(in), Auto)
		for rec, err := range r.Records() {
			if got := strings.TrimSpace(string(rec.Data)); got != "1" || err != nil {
				t.Errorf("%q: got %q, %v", in, got, err)
			}
			break
		}
		rows, err := readAll(r)
		if got := strings.Join(data(rows), ""); strings.ReplaceAll(got, "\n", "") != "23" || err != nil {
			t.Errorf("%q: got %q, %v after the break, want 2 and 3", in, got, err)
		}
	}
}

func TestMaxRecord(t *testing.T) {
	const most = 3 * minRead
	fill := strings.Repeat("x", most)
	tests := []struct {
		name   string
		format Format
		in     string
		sizes  []int
		err    string
	}{
		{"line", Lines, "a\n" + fill[1:] + "\nb", []int{2, most, 1}, ""},
		{"last line", Lines, "a\n" + fill, []int{2, most}, ""},
		{"line too long", Lines, "a\n" + fill + "\nb", []int{2}, "line 2, offset 2: this line is longer than 786432 bytes"},
		{"last line too long", Lines, fill + "x", nil, "line 1, offset 0: this line is longer"},
		{"line without end", Lines, fill + fill, nil, "line 1, offset 0: this line is longer"},
		{"element", JSONArray, `["` + fill[2:] + `",1]`, []int{most, 1}, ""},
		{"element too long", JSONArray, `[1,"` + fill[1:] + `",1]`, []int{1}, "line 1, offset 3: this element is longer"},
		{"missing bracket", JSONArray, "[1,\n{\"a\":{},\n{\"a\":\"" + fill + fill + `"]`, []int{1}, "line 3, offset 13: broken JSON"},
	}
	for _, tt := range tests {
		for how, in := range map[string]io.Reader{"whole": strings.NewReader(tt.in), "half": iotest.HalfReader(strings.NewReader(tt.in))} {
			r := NewReader(in, tt.format)
			r.in.max = most
			rows, err := readAll(r)
			var sizes []int
			for _, row := range rows {
				sizes = append(sizes, len(row.Data))
			}
			if !slices.Equal(sizes, tt.sizes) || (err == nil) != (tt.err == "") || !strings.Contains(fmt.Sprint(err), tt.err) {
				t.Errorf("%s, read %s: got sizes %v and %v, want %v and %q", tt.name, how, sizes, err, tt.sizes, tt.err)
			}
			if got := cap(r.in.buf); got > most+2*minRead {
				t.Errorf("%s, read %s: the buffer has grown to %d bytes", tt.name, how, got)
			}
		}
	}
	long := strings.Repeat("x", MaxRecord-1) + "\n"
	if rows, err := readAll(NewReader(strings.NewReader(long), Auto)); len(rows) != 1 || rows[0].Data != long || err != nil {
		t.Errorf("%d bytes: got %d records, %v", len(long), len(rows), err)
	}
}

// sample has no period, so that a compressor leaves much of it.
func sample(lines int) []byte {
	var b []byte
	for i := range lines {
		b = fmt.Appendf(b, "{\"n\":%d,\"m\":%d}\n", i, i*i*7919)
	}
	return b
}

func gzipped(t *testing.T, parts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&out)
		if _, err := w.Write(p); err != nil || w.Close() != nil {
			t.Fatal("gzip failed", err)
		}
	}
	return out.Bytes()
}

func zstded(t *testing.T, parts ...[]byte) (out []byte) {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, p := range parts {
		out = w.EncodeAll(p, out)
	}
	return out
}

func TestCompressed(t *testing.T) {
	text := sample(3000)
	in := map[string][]byte{
		"gzip":             gzipped(t, text),
		"gzip members":     gzipped(t, text[:1000], nil, text[1000:]),
		"gzip with a mark": gzipped(t, append(mark, text...)),
		"zstd":             zstded(t, text),
		"zstd frames":      zstded(t, text[:1000], text[1000:]),
	}
	for name, packed := range in {
		for how, r := range chopped(string(packed)) {
			reader := NewReader(r, Auto)
			rows, err := readAll(reader)
			if got := strings.Join(data(rows), ""); got != string(text) || err != nil {
				t.Errorf("%s, read %s: got %d bytes and %v, want %d", name, how, len(got), err, len(text))
			}
			if reader.Format() != NDJSON {
				t.Errorf("%s, read %s: taken for %v", name, how, reader.Format())
			}
		}
	}
}

func TestCompressedFaults(t *testing.T) {
	text := sample(300)
	for kind, packed := range map[string][]byte{"gzip": gzipped(t, text), "zstd": zstded(t, text)} {
		isPrefix := func(rows []row) bool {
			got := strings.Join(data(rows), "")
			return strings.HasPrefix(string(text), got) && (got == "" || strings.HasSuffix(got, "\n"))
		}
		for n := 4; n < len(packed); n += 1 + n/50 {
			rows, err := readAll(NewReader(bytes.NewReader(packed[:n]), Lines))
			if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "the "+kind+" input is cut off") || !isPrefix(rows) {
				t.Errorf("%s cut at %d of %d: %d records, %v", kind, n, len(packed), len(rows), err)
			}
			rows, err = readAll(NewReader(io.MultiReader(bytes.NewReader(packed[:n]), iotest.ErrReader(errFault)), Lines))
			if err != errFault || !isPrefix(rows) {
				t.Errorf("%s, read error at %d: %d records, %v", kind, n, len(rows), err)
			}
		}
		bad := bytes.Clone(packed)
		bad[len(bad)-5] ^= 0xff
		if _, err := readAll(NewReader(bytes.NewReader(bad), Lines)); err == nil || !strings.Contains(err.Error(), kind+" input is ") {
			t.Errorf("%s with a wrong byte: %v", kind, err)
		}
	}
	// What only begins like a compressed input is text.
	for _, in := range []string{"\x1f", "\x1f\x8b", "(", "(\xb5/x"} {
		if rows, err := readAll(NewReader(strings.NewReader(in), Auto)); len(rows) != 1 || rows[0].Data != in || err != nil {
			t.Errorf("%q: got %q, %v", in, data(rows), err)
		}
	}
}

// Neither allocations nor the buffer may grow with the input.
func TestConstantMemory(t *testing.T) {
	const lines = 100_000
	text := bytes.Repeat([]byte("2026-01-01 some line of a log\n"), lines)
	per := testing.AllocsPerRun(3, func() {
		n := 0
		r := NewReader(bytes.NewReader(text), Lines)
		for _, err := range r.Records() {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		if n != lines || cap(r.in.buf) != 2*minRead {
			t.Fatalf("%d lines, %d bytes of buffer", n, cap(r.in.buf))
		}
	})
	if per > 50 {
		t.Errorf("%v allocations for %d lines", per, lines)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range []Format{Auto, Lines, NDJSON, JSONArray} {
		if got, err := ParseFormat(f.String()); got != f || err != nil {
			t.Errorf("ParseFormat(%q) = %v, %v", f, got, err)
		}
	}
	want := `no format "xml"; there are auto, lines, ndjson, json`
	if _, err := ParseFormat("xml"); err == nil || err.Error() != want {
		t.Errorf("ParseFormat(xml): %v, want %s", err, want)
	}
}

func FuzzLines(f *testing.F) {
	for _, in := range []string{"", "a\nb\r\n\n", "\xef\xbb\xbfx\n", "\xef\xbb", "[1]\n", "\x1f\x8b\x08", "(\xb5/\xfd"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.HasPrefix(in, []byte("\x1f\x8b\x08")) || bytes.HasPrefix(in, []byte("(\xb5/\xfd")) {
			_, _ = readAll(NewReader(bytes.NewReader(in), Lines)) // must end, and without a panic
			return
		}
		rows, err := readAll(NewReader(iotest.HalfReader(bytes.NewReader(in)), Lines))
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		text, _ := bytes.CutPrefix(in, mark)
		if got := strings.Join(data(rows), ""); got != string(text) {
			t.Errorf("got %q of %q", got, text)
		}
		at := int64(len(in) - len(text))
		for i, r := range rows {
			if r.Line != int64(i+1) || r.Offset != at || r.End != at+int64(len(r.Data)) {
				t.Errorf("%q: record %d is at line %d, %d to %d, want %d", in, i, r.Line, r.Offset, r.End, at)
			}
			at = r.End
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	for _, in := range []string{"{}\n\n[1\n2", "\"\\u00\"\n", "{\"a\":\r\n"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		rows, err := readAll(NewReader(bytes.NewReader(in), NDJSON))
		if err != nil && !bytes.HasPrefix(in, []byte("\x1f\x8b\x08")) && !bytes.HasPrefix(in, []byte("(\xb5/\xfd")) {
			t.Fatalf("%q: %v", in, err)
		}
		for _, r := range rows {
			if json.Valid([]byte(r.Data)) != (r.Bad == "") || strings.TrimSpace(r.Data) == "" && r.Bad == "" {
				t.Errorf("%q: %+v", in, r)
			}
		}
	})
}

func FuzzJSONArray(f *testing.F) {
	for _, in := range []string{
		"[]", "[1,2]", " [ {\"a\" : [ ]}\n, \"\\\"]\", -1e9 ]", "[1,]", "[1}", "[[[1", "[\"\x01\"]", "[1]2", "[1\"a\"]", "[\"a\"1]", "[nul]", "{}",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || in[0] == '\x1f' || in[0] == '(' {
			return
		}
		text, _ := bytes.CutPrefix(in, mark)
		if spaces(text) == len(text) {
			return // no array, which is no error here
		}
		rows, err := readAll(NewReader(iotest.HalfReader(bytes.NewReader(in)), JSONArray))
		var want []json.RawMessage
		wantErr := json.Unmarshal(text, &want)
		if text[spaces(text)] != '[' {
			wantErr = errors.New("not an array")
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, json says %v", in, err, wantErr)
		}
		if err == nil && len(rows) != len(want) {
			t.Fatalf("%q: got %d elements, want %d", in, len(rows), len(want))
		}
		for i, r := range rows {
			raw := in[r.Offset:r.End]
			var compact bytes.Buffer
			if json.Compact(&compact, raw) != nil || compact.String() != r.Data {
				t.Errorf("%q: record %q stands at %q", in, r.Data, raw)
			}
			if err == nil && !bytes.Equal(raw, bytes.TrimSpace(want[i])) {
				t.Errorf("%q: element %d is at %q, want %q", in, i, raw, want[i])
			}
			if line := 1 + bytes.Count(in[:r.Offset], []byte("\n")); int64(line) != r.Line {
				t.Errorf("%q: element %d on line %d, want %d", in, i, r.Line, line)
			}
		}
	})
}

// Detecting the format must not lose or change a byte, nor depend on the pieces
// that the input comes in.
func FuzzAuto(f *testing.F) {
	for _, in := range []string{"", "x", "[1]\nx", "{}\n", "[{},", "\xef\xbb\xbf\n"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		auto := NewReader(bytes.NewReader(in), Auto)
		rows, err := readAll(auto)
		if auto.Format() == Auto {
			t.Fatalf("%q: no format was chosen", in)
		}
		named, namedErr := readAll(NewReader(bytes.NewReader(in), auto.Format()))
		if diff := cmp.Diff(named, rows); diff != "" || fmt.Sprint(err) != fmt.Sprint(namedErr) {
			t.Errorf("%q as %v: %v and %v\n%s", in, auto.Format(), err, namedErr, diff)
		}
		slow := NewReader(iotest.OneByteReader(bytes.NewReader(in)), Auto)
		slowRows, slowErr := readAll(slow)
		if diff := cmp.Diff(rows, slowRows); diff != "" || fmt.Sprint(err) != fmt.Sprint(slowErr) || slow.Format() != auto.Format() {
			t.Errorf("%q byte by byte as %v, else as %v: %v and %v\n%s", in, slow.Format(), auto.Format(), slowErr, err, diff)
		}
	})
}

// The fast check must not take for JSON what the standard library does not.
func FuzzValid(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,"\u00e9\n",null,true,false]}`, "1 2", `{"a":1,}`, "01", `"\x"`, "\"\x01\"", "\"\xff\"", "[", "nul", " \t\r\n0 ", `{"a" "b"}`, "-", "1.", "1e", `"\ud800"`, "\x00", "{}\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if valid.Valid(data) && !json.Valid(data) {
			t.Errorf("%q is no JSON", data)
		}
	})
}

package convert_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/hydrant-go/hydrant/local/convert"
)

func openX(columns string, opts ...convert.OpenXJsonSerDe) convert.Config {
	cfg := convert.Config{Columns: parse(columns)}
	for _, o := range opts {
		cfg.Deserializer.OpenXJsonSerDe = &o
	}
	return cfg
}

func hive(columns string, formats ...string) convert.Config {
	cfg := convert.Config{Columns: parse(columns)}
	cfg.Deserializer.HiveJsonSerDe = &convert.HiveJsonSerDe{TimestampFormats: formats}
	return cfg
}

func parse(columns string) []convert.Column {
	list, err := convert.ParseColumns(columns)
	if err != nil {
		panic(err)
	}
	return list
}

func newConverter(t *testing.T, cfg convert.Config) *convert.Converter {
	t.Helper()
	c, err := convert.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run converts records, and reads the file back as a line of JSON for each row.
func run(t *testing.T, cfg convert.Config, records ...string) ([]string, []convert.Failed) {
	t.Helper()
	var data [][]byte
	for _, r := range records {
		data = append(data, []byte(r))
	}
	body, failed, err := newConverter(t, cfg).Convert(data)
	if err != nil {
		t.Fatal(err)
	}
	return rowsOf(t, body), failed
}

func open(t *testing.T, body [][]byte) *parquet.File {
	t.Helper()
	all := bytes.Join(body, nil)
	f, err := parquet.OpenFile(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rowsOf reads a file by the schema in it.
func rowsOf(t *testing.T, body [][]byte) []string {
	t.Helper()
	if body == nil {
		return nil
	}
	f := open(t, body)
	var lines []string
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		defer rows.Close()
		for buffer := make([]parquet.Row, 100); ; {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				lines = append(lines, rowOf(t, f.Schema(), row))
			}
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if int64(len(lines)) != f.NumRows() {
		t.Errorf("the file says it has %d rows, and has %d", f.NumRows(), len(lines))
	}
	return lines
}

func rowOf(t *testing.T, schema *parquet.Schema, row parquet.Row) string {
	t.Helper()
	a := assembler{columns: make([][]parquet.Value, len(schema.Columns()))}
	for _, v := range row {
		a.columns[v.Column()] = append(a.columns[v.Column()], v)
	}
	members := map[string]any{}
	for _, f := range schema.Fields() {
		column := a.column
		members[f.Name()] = a.read(f, 0, 0)
		for c := column; c < a.column; c++ {
			if len(a.columns[c]) > 0 {
				t.Fatalf("column %d has %d values too many", c, len(a.columns[c]))
			}
		}
	}
	return line(t, members)
}

// assembler makes values of the columns' levels: the way back of what the package
// does, and by the file's schema.
type assembler struct {
	columns [][]parquet.Value
	column  int // the next node's first
}

func (a *assembler) read(node parquet.Node, rep, def int) any {
	first := a.column
	if node.Optional() {
		def++
		if a.columns[first][0].DefinitionLevel() < def {
			return a.skip(node, nil)
		}
	}
	if node.Leaf() {
		v := a.columns[first][0]
		a.columns[first] = a.columns[first][1:]
		a.column++
		return readable(node.Type(), v)
	}
	logical := ""
	if l := node.Type().LogicalType(); l != nil {
		logical = l.String()
	}
	if logical == "" {
		members := map[string]any{}
		for _, f := range node.Fields() {
			members[f.Name()] = a.read(f, rep, def)
		}
		return members
	}
	list, entries := []any{}, map[string]any{}
	inner := node.Fields()[0].Fields()
	for def, rep := def+1, rep+1; ; {
		if a.column = first; a.columns[first][0].DefinitionLevel() < def {
			a.skip(node, nil)
			break
		}
		if v := a.read(inner[0], rep, def); logical == "MAP" {
			entries[fmt.Sprint(v)] = a.read(inner[1], rep, def)
		} else {
			list = append(list, v)
		}
		if len(a.columns[first]) == 0 || a.columns[first][0].RepetitionLevel() < rep {
			break
		}
	}
	if logical == "MAP" {
		return entries
	}
	return list
}

// skip takes one value of each column below node, and returns v.
func (a *assembler) skip(node parquet.Node, v any) any {
	if node.Leaf() {
		a.columns[a.column] = a.columns[a.column][1:]
		a.column++
	}
	for _, f := range node.Fields() {
		a.skip(f, nil)
	}
	return v
}

func line(t *testing.T, row any) string {
	t.Helper()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readable is a value as JSON can show it.
func readable(typ parquet.Type, v parquet.Value) any {
	if l := typ.LogicalType(); l != nil {
		if d, ok := l.Value.(*format.DecimalType); ok {
			return decimalText(v.ByteArray(), int(d.Scale))
		}
	}
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean()
	case parquet.Int96:
		i := v.Int96()
		nanos := int64(i[1])<<32 | int64(i[0])
		if nanos < 0 || nanos >= 24*int64(time.Hour) {
			return fmt.Sprintf("%d nanoseconds of a day", nanos)
		}
		return time.Unix((int64(int32(i[2]))-2440588)*86400, nanos).UTC().Format("2006-01-02T15:04:05.999999999")
	case parquet.Int32:
		return v.Int32()
	case parquet.Float, parquet.Double:
		if text := v.String(); strings.ContainsAny(text, "IN") {
			return text
		}
		return json.Number(v.String())
	case parquet.ByteArray:
		return string(v.ByteArray())
	}
	return v.Int64()
}

func decimalText(b []byte, scale int) string {
	x := new(big.Int).SetBytes(b)
	sign := ""
	if b[0] >= 0x80 {
		sign = "-"
		x.Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))), x)
	}
	text := fmt.Sprintf("%0*d", scale+1, x)
	if scale == 0 {
		return sign + text
	}
	return sign + text[:len(text)-scale] + "." + text[len(text)-scale:]
}

// values converts each JSON value in a column x of its own record. What could
// not be converted is told by its message.
func values(t *testing.T, cfg convert.Config, values ...string) []string {
	t.Helper()
	var got []string
	for _, v := range values {
		rows, failed := run(t, cfg, `{"x":`+v+`}`)
		if len(rows)+len(failed) != 1 {
			t.Fatalf("%s: rows %q, failed %+v", v, rows, failed)
		}
		for _, f := range failed {
			if f.Code != convert.CodeMalformed {
				t.Errorf("%s: code %s", v, f.Code)
			}
			got = append(got, f.Message)
		}
		for _, row := range rows {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(row, `{"x":`), "}"))
		}
	}
	return got
}

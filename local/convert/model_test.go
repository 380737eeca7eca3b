package convert_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/hydrant-go/hydrant/local/convert"
)

var tables = flag.Int("tables", 100, "how many random tables TestModel tries")

// TestModel converts random values of random types, and reads them back.
func TestModel(t *testing.T) {
	for i := range *tables {
		seed := uint64(i)
		if t.Run(fmt.Sprint(seed), func(t *testing.T) { model(t, rand.New(rand.NewPCG(seed, 0))) }); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func model(t *testing.T, rnd *rand.Rand) {
	g := generator{rnd}
	cfg := convert.Config{}
	values := map[string]func() (string, any){}
	for i := range 1 + rnd.IntN(4) {
		name := fmt.Sprintf("c%d", i)
		typ, value := g.typ(rnd.IntN(4))
		cfg.Columns = append(cfg.Columns, convert.Column{Name: name, Type: typ})
		values[name] = value
	}
	out := convert.ParquetSerDe{PageSizeBytes: 64 << 10, EnableDictionaryCompression: rnd.IntN(2) == 0}
	if rnd.IntN(2) == 0 {
		out.WriterVersion = "V2"
	}
	cfg.Serializer.ParquetSerDe = &out
	if rnd.IntN(2) == 0 {
		cfg.Deserializer.HiveJsonSerDe = &convert.HiveJsonSerDe{}
	}
	var records, want []string
	for range rnd.IntN(300) {
		row := map[string]any{}
		var members []string
		for _, c := range cfg.Columns {
			text, value := values[c.Name]()
			row[c.Name] = value
			if value != nil || rnd.IntN(2) == 0 {
				members = append(members, g.quote(c.Name)+g.space()+":"+text)
			}
		}
		rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		record := g.space() + "{" + strings.Join(members, ",") + "}" + g.space()
		if len(records) > 0 && rnd.IntN(3) == 0 { // several objects in one record
			records[len(records)-1] += record
		} else {
			records = append(records, record)
		}
		want = append(want, line(t, row))
	}
	got, failed := run(t, cfg, records...)
	if failed != nil {
		t.Fatalf("%+v of %q for %+v", failed, records[failed[0].Index], cfg.Columns)
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("row %d of %+v is\n%s, want\n%s", i, cfg.Columns, got[i], want[i])
		}
	}
}

type generator struct{ *rand.Rand }

// typ is a random type, and what makes its values: their JSON, and what to read back.
func (g generator) typ(depth int) (string, func() (string, any)) {
	name, value := g.notNull(depth)
	return name, func() (string, any) {
		if g.IntN(5) == 0 {
			return g.space() + "null", nil
		}
		text, v := value()
		return g.space() + text + g.space(), v
	}
}

func (g generator) notNull(depth int) (string, func() (string, any)) {
	if depth == 0 {
		return g.scalar()
	}
	switch g.IntN(3) {
	case 0:
		typ, value := g.typ(depth - 1)
		return "array<" + typ + ">", func() (string, any) {
			var texts []string
			list := []any{}
			for range g.IntN(4) {
				text, v := value()
				texts, list = append(texts, text), append(list, v)
			}
			return "[" + g.space() + strings.Join(texts, ",") + "]", list
		}
	case 1:
		typ, value := g.typ(depth - 1)
		return "map<string," + typ + ">", func() (string, any) {
			var texts []string
			entries := map[string]any{}
			for i := range g.IntN(4) {
				text, v := value()
				key := fmt.Sprintf("k %d", i)
				texts, entries[key] = append(texts, g.quote(key)+":"+text), v
			}
			return "{" + strings.Join(texts, ",") + g.space() + "}", entries
		}
	}
	var names []string
	var makers []func() (string, any)
	for i := range 1 + g.IntN(3) {
		typ, value := g.typ(g.IntN(depth))
		names, makers = append(names, fmt.Sprintf("m%d:%s", i, typ)), append(makers, value)
	}
	return "struct<" + strings.Join(names, ",") + ">", func() (string, any) {
		texts := []string{`"other":[{}, 1]`}
		members := map[string]any{}
		for i, maker := range makers {
			text, v := maker()
			name := fmt.Sprintf("m%d", i)
			texts, members[name] = append(texts, g.quote(name)+":"+text), v
		}
		return "{" + strings.Join(texts, ",") + "}", members
	}
}

func (g generator) scalar() (string, func() (string, any)) {
	switch g.IntN(5) {
	case 0:
		return "boolean", func() (string, any) { b := g.IntN(2) == 0; return fmt.Sprint(b), b }
	case 1:
		return "bigint", func() (string, any) { n := g.Int64() - g.Int64(); return fmt.Sprint(n), n }
	case 2:
		return "double", func() (string, any) {
			text := fmt.Sprint(g.NormFloat64())
			return text, json.Number(text)
		}
	case 3:
		return "decimal(20,3)", func() (string, any) {
			text := fmt.Sprintf("%d.%03d", g.Int64N(1e17)-5e16, g.IntN(1000))
			return text, text
		}
	}
	return "string", func() (string, any) {
		var text strings.Builder
		for range g.IntN(8) {
			text.WriteRune([]rune("aé😀\"\\\n\t\x01/ ")[g.IntN(10)])
		}
		return g.quote(text.String()), text.String()
	}
}

// quote writes a string, with some characters escaped that need not be.
func (g generator) quote(s string) string {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err)
	}
	quoted := strings.TrimSuffix(text.String(), "\n")
	if g.IntN(3) == 0 {
		quoted = strings.NewReplacer("a", `\u0061`, "é", `\u00E9`, "😀", `\ud83d\ude00`, "/", `\/`).Replace(quoted)
	}
	return quoted
}

func (g generator) space() string { return []string{"", "", " ", "\r\n\t"}[g.IntN(4)] }

// TestBounds: what the file says of the least and greatest values, by which readers
// leave out pages, holds for all of them.
func TestBounds(t *testing.T) {
	const columns = "tinyint:tinyint,int:int,bigint:bigint,float:float,double:double,decimal:decimal(9,2),string:string,binary:binary,date:date,timestamp:timestamp"
	cfg := openX(columns)
	cfg.Serializer.ParquetSerDe = &convert.ParquetSerDe{PageSizeBytes: 64 << 10}
	rnd := rand.New(rand.NewPCG(1, 2))
	var records [][]byte
	for i := range 45_000 {
		n := rnd.IntN(201) - 100
		switch {
		case i > 5_000 && i < 35_000: // whole pages of nulls
			records = append(records, []byte("{}"))
			continue
		case i < 5_000:
			n = -max(n, -n) - 1
		}
		records = append(records, fmt.Appendf(nil, `{"tinyint":%d,"int":%[1]d,"bigint":%[1]d,"float":%[1]d,"double":%[1]d,"decimal":%[1]d.25,"string":"%[1]dé","binary":"%[1]d","date":"1970-01-%02[2]d","timestamp":%[1]d}`, n, i%28+1))
	}
	body, failed, err := newConverter(t, cfg).Convert(records)
	if err != nil || failed != nil {
		t.Fatalf("error %v, failed %+v", err, failed)
	}
	f := open(t, body)
	for i, chunk := range f.RowGroups()[0].ColumnChunks() {
		path := f.Schema().Columns()[i]
		stats := f.Metadata().RowGroups[0].Columns[i].MetaData.Statistics
		if withBounds := path[0] != "decimal" && path[0] != "timestamp"; (stats.MinValue != nil) != withBounds {
			t.Errorf("%s: statistics %+v", path, stats)
		}
		for p, raw := 0, f.ColumnIndexes()[i]; stats.MinValue == nil && p < len(raw.NullPages); p++ {
			if (len(raw.MinValues[p]) == 0) != raw.NullPages[p] || (len(raw.MaxValues[p]) == 0) != raw.NullPages[p] {
				t.Errorf("%s, page %d: %x to %x, all nulls: %t", path, p, raw.MinValues[p], raw.MaxValues[p], raw.NullPages[p])
			}
		}
		index, err := chunk.ColumnIndex()
		if err != nil {
			t.Fatal(err)
		}
		pages, nullPages := chunk.Pages(), 0
		for p := 0; ; p++ {
			page, err := pages.ReadPage()
			if err != nil {
				break
			}
			values := make([]parquet.Value, page.NumValues())
			if n, _ := page.Values().ReadValues(values); n != len(values) {
				t.Fatalf("%s: %d of %d values", path, n, len(values))
			}
			nulls := 0
			for _, v := range values {
				if v.IsNull() {
					nulls++
				} else if o := orderOf(v); o.compare(orderOf(index.MinValue(p))) < 0 || o.compare(orderOf(index.MaxValue(p))) > 0 {
					t.Fatalf("%s, page %d: %v is not within %v and %v", path, p, v, index.MinValue(p), index.MaxValue(p))
				}
			}
			if index.NullPage(p) != (nulls == len(values)) || index.NullCount(p) != int64(nulls) {
				t.Errorf("%s, page %d: %d nulls of %d, and the index says %d, all of them: %t", path, p, nulls, len(values), index.NullCount(p), index.NullPage(p))
			}
			if index.NullPage(p) {
				nullPages++
			}
		}
		pages.Close()
		if index.NumPages() < 2 || nullPages == 0 {
			t.Errorf("%s has %d pages, %d of them null: the test shows nothing", path, index.NumPages(), nullPages)
		}
	}
}

// order compares values as Parquet orders their type.
type order struct {
	number float64
	text   string
}

func orderOf(v parquet.Value) (o order) {
	switch v.Kind() {
	case parquet.Int32:
		o.number = float64(v.Int32())
	case parquet.Int64:
		o.number = float64(v.Int64())
	case parquet.Float:
		o.number = float64(v.Float())
	case parquet.Double:
		o.number = v.Double()
	case parquet.FixedLenByteArray:
		_, err := fmt.Sscan(decimalText(v.ByteArray(), 0), &o.number)
		if err != nil {
			panic(err)
		}
	case parquet.Int96:
		o.number = float64(int32(v.Int96()[2]))
	default:
		o.text = string(v.ByteArray())
	}
	return o
}

func (o order) compare(p order) int {
	return cmp.Or(cmp.Compare(o.number, p.number), strings.Compare(o.text, p.text))
}

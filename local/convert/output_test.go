package convert_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/hydrant-go/hydrant/local/convert"
)

const eventColumns = "id:bigint,kind:string,ok:boolean,level:tinyint,port:smallint,count:int,ratio:float,score:double,price:decimal(12,2),raw:binary,day:date,at:timestamp," +
	"tags:array<string>,grid:array<array<int>>,user:struct<name:string,address:struct<city:string,zip:int>>,attrs:map<string,array<double>>,items:array<struct<sku:string,qty:int,notes:map<string,string>>>"

// event is the i-th record, with every null, empty and full value that there is, and
// the row that it makes.
func event(i int) (record []byte, row string) {
	if i%7 == 0 {
		return []byte("{}"), `{"id":null,"kind":null,"ok":null,"level":null,"port":null,"count":null,"ratio":null,"score":null,"price":null,"raw":null,"day":null,` +
			`"at":null,"tags":null,"grid":null,"user":null,"attrs":null,"items":null}`
	}
	scalars := fmt.Sprintf(`"id":%d,"kind":"kind %d","ok":%t,"level":%d,"port":%d,"count":%d,"ratio":%d.5,"score":%d.25`,
		1_000_000_000_000+i, i%5, i%2 == 0, i%256-128, i%65536-32768, i*1000, i, -i)
	nested := []string{
		`"tags":["a"],"grid":[[1,2],[],null,[3]],"user":{"name":"n","address":{"city":"c","zip":1}},"attrs":{"k":[1.5,null],"l":[]},"items":[{"sku":"s","qty":1,"notes":{"x":"y"}},null]`,
		`"tags":[],"grid":[],"user":{"name":null,"address":null},"attrs":{},"items":[]`,
		`"tags":["",null,"ü"],"grid":[[null]],"user":{"name":"only","address":{"city":null,"zip":null}},"attrs":{"k":null},"items":[{"sku":null,"qty":null,"notes":null},{"sku":"t","qty":2,"notes":{}}]`,
		`"tags":null,"grid":null,"user":null,"attrs":null,"items":null`,
	}[i%4]
	second := i % 60
	times := `"price":"%d.%02d","raw":"\u0001 %d","day":%s,"at":"2026-01-02%s03:04:%02d.%03d%s",`
	record = fmt.Appendf(nil, "{"+scalars+","+times+nested+"}", i, i%100, i, `"2026-01-02"`, " ", second, 500+i%2, "")
	row = fmt.Sprintf("{"+scalars+","+times+nested+"}", i, i%100, i, "20455", "T", second, 500+i%2, "")
	return record, strings.ReplaceAll(row, ".500\"", ".5\"")
}

func events(n int) (records [][]byte, rows []string) {
	for i := range n {
		record, row := event(i)
		records, rows = append(records, record), append(rows, row)
	}
	return records, rows
}

// outputs are all the ways in which Parquet can be written.
func outputs() map[string]convert.ParquetSerDe {
	all := map[string]convert.ParquetSerDe{}
	for _, compression := range []string{"UNCOMPRESSED", "GZIP", "SNAPPY"} {
		for _, version := range []string{"V1", "V2"} {
			for _, dictionary := range []bool{false, true} {
				all[fmt.Sprintf("%s-%s-%t", compression, version, dictionary)] = convert.ParquetSerDe{
					Compression: compression, WriterVersion: version, EnableDictionaryCompression: dictionary, PageSizeBytes: 64 << 10,
				}
			}
		}
	}
	return all
}

func eventFile(t *testing.T, out *convert.ParquetSerDe, records [][]byte) [][]byte {
	t.Helper()
	cfg := openX(eventColumns)
	cfg.Serializer.ParquetSerDe = out
	body, failed, err := newConverter(t, cfg).Convert(records)
	if err != nil || failed != nil {
		t.Fatalf("error %v, failed %+v", err, failed)
	}
	return body
}

// sameRows compares rows as JSON, in which members have no order.
func sameRows(t *testing.T, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		var w, g any
		if err := json.Unmarshal([]byte(want[i]), &w); err != nil {
			t.Fatal(err, want[i])
		}
		if err := json.Unmarshal([]byte(got[i]), &g); err != nil {
			t.Fatal(err, got[i])
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Fatalf("row %d: -want +got\n%s", i, diff)
		}
	}
}

func TestOutputs(t *testing.T) {
	records, want := events(600)
	for name, out := range outputs() {
		t.Run(name, func(t *testing.T) {
			body := eventFile(t, &out, records)
			sameRows(t, want, rowsOf(t, body))

			chunk := open(t, body).Metadata().RowGroups[0].Columns[1].MetaData
			codec := map[string]format.CompressionCodec{"UNCOMPRESSED": format.Uncompressed, "GZIP": format.Gzip, "SNAPPY": format.Snappy}[out.Compression]
			if chunk.Codec != codec {
				t.Errorf("the codec is %v, want %v", chunk.Codec, codec)
			}
			encoding := map[string]format.Encoding{"V1": format.Plain, "V2": format.DeltaByteArray}[out.WriterVersion]
			if out.EnableDictionaryCompression {
				encoding = format.RLEDictionary
			}
			pageType := map[string]format.PageType{"V1": format.DataPage, "V2": format.DataPageV2}[out.WriterVersion]
			at := slices.IndexFunc(chunk.EncodingStats, func(s format.PageEncodingStats) bool { return s.PageType == pageType })
			if at < 0 || chunk.EncodingStats[at].Encoding != encoding {
				t.Errorf("pages %+v, want %v in %v", chunk.EncodingStats, encoding, pageType)
			}
		})
	}
}

// A reader of another maker reads the same rows.
func TestHyparquet(t *testing.T) {
	if _, err := os.Stat("testdata/js/node_modules/hyparquet"); err != nil {
		t.Skip("hyparquet is not installed: npm ci --prefix local/convert/testdata/js")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed: see https://nodejs.org")
	}
	records, want := events(600)
	dir := t.TempDir()
	args := []string{"testdata/js/read.mjs"}
	for name, out := range outputs() {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Join(eventFile(t, &out, records), nil), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	text, err := exec.CommandContext(t.Context(), node, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got := map[string][]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var pair [2]json.RawMessage
		var path string
		if err := json.Unmarshal(lines.Bytes(), &pair); err != nil {
			t.Fatal(err, lines.Text())
		}
		if err := json.Unmarshal(pair[0], &path); err != nil {
			t.Fatal(err)
		}
		got[path] = append(got[path], string(pair[1]))
	}
	for _, path := range args[1:] {
		t.Run(filepath.Base(path), func(t *testing.T) { sameRows(t, want, got[path]) })
	}
}

func TestHundredThousandRows(t *testing.T) {
	const n = 100_000
	records, want := events(n)
	body := eventFile(t, nil, records)
	f := open(t, body)
	if f.NumRows() != n {
		t.Errorf("%d rows, want %d", f.NumRows(), n)
	}
	row := make([]parquet.Row, 1)
	for _, i := range []int64{0, 1, 63, 64, 65, 50_002, n - 1} {
		rows := f.RowGroups()[0].Rows()
		if err := rows.SeekToRow(i); err != nil {
			t.Fatal(err)
		}
		if got, err := rows.ReadRows(row); got != 1 {
			t.Fatal(err)
		}
		sameRows(t, want[i:i+1], []string{rowOf(t, f.Schema(), row[0])})
		rows.Close()
	}
}

// Beyond the file, and pages that are being filled, nothing grows with the records.
// What is compared is all that is ever allocated, so what is held at once is less.
func TestMemory(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector a sync.Pool forgets on purpose")
	}
	cfg := openX(eventColumns)
	cfg.Serializer.ParquetSerDe = &convert.ParquetSerDe{PageSizeBytes: 64 << 10}
	c := newConverter(t, cfg)
	records, _ := events(30_000)
	run := func(records [][]byte) (allocated, size int64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		body, failed, err := c.Convert(records)
		runtime.ReadMemStats(&after)
		if err != nil || failed != nil {
			t.Fatalf("error %v, failed %+v", err, failed)
		}
		for _, part := range body {
			size -= int64(len(part))
		}
		for _, r := range records {
			size += int64(len(r))
		}
		return int64(after.TotalAlloc - before.TotalAlloc), size
	}
	run(records) // what is allocated once
	few, fewSize := run(records[:10_000])
	many, manySize := run(records)
	t.Logf("%d and %d bytes allocated for %d and %d bytes of records", few, many, fewSize, manySize)
	if many-few > manySize-fewSize {
		t.Errorf("%d bytes of records more allocated %d bytes more", manySize-fewSize, many-few)
	}
}

// A row group ends when it has BlockSizeBytes, so that is what memory is needed for.
func TestRowGroups(t *testing.T) {
	cfg := openX("a:string")
	cfg.Serializer.ParquetSerDe = &convert.ParquetSerDe{BlockSizeBytes: 64 << 20}
	record := []byte(`{"a":"` + strings.Repeat("x", 1<<20-8) + `"}`)
	body, _, err := newConverter(t, cfg).Convert(slices.Repeat([][]byte{record}, 130))
	if err != nil {
		t.Fatal(err)
	}
	var rows []int64
	for _, g := range open(t, body).RowGroups() {
		rows = append(rows, g.NumRows())
	}
	if diff := cmp.Diff([]int64{64, 64, 2}, rows); diff != "" {
		t.Errorf("rows of the row groups: -want +got\n%s", diff)
	}
}

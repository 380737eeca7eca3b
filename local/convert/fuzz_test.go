package convert_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/hydrant-go/hydrant/local/convert"
)

// FuzzConvert: whatever a record holds, it makes rows or fails, and the file can be read.
func FuzzConvert(f *testing.F) {
	for _, seed := range []string{
		`{}`, ``, `null`, `[{"id":1}]`, `{"id":1}{"id":"2"}`, `{"id":`, "{\"kind\":\"\xff\"}", `{"kind":"\ud83d\u0000"}`, `{"at":"1e999999999","price":"-0e-9"}`,
		`{"at":-62200000000,"day":"0001-1-1","price":1e-999999999999999999999,"ratio":"Infinity"}`, `{"user":[[],{"address":""}],"grid":1,"attrs":{"":[{}]}}`,
	} {
		f.Add([]byte(seed))
	}
	for i := range 4 {
		record, _ := event(i + 1)
		f.Add(record)
	}
	columns := eventColumns + ",c:char(2),v:varchar(3),wide:decimal(38,38),keys:map<timestamp,map<decimal(3,1),boolean>>"
	var converters []*convert.Converter
	for _, cfg := range []convert.Config{
		openX(columns, convert.OpenXJsonSerDe{ConvertDotsInJsonKeysToUnderscores: true}),
		hive(columns, "millis", "d/MMM/yy''HH:mm:ss.SSS Z", "yyyy-DDD h a"),
	} {
		c, err := convert.New(cfg)
		if err != nil {
			f.Fatal(err)
		}
		converters = append(converters, c)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, c := range converters {
			body, failed, err := c.Convert([][]byte{record})
			if err != nil {
				t.Fatal(err)
			}
			if (body == nil) != (len(failed) == 1) {
				t.Fatalf("%d parts of a file, failed %+v", len(body), failed)
			}
			if body == nil {
				continue
			}
			all := bytes.Join(body, nil)
			file, err := parquet.OpenFile(bytes.NewReader(all), int64(len(all)))
			if err != nil {
				t.Fatal(err)
			}
			if file.NumRows() == 0 {
				t.Fatal("the file has no rows")
			}
		}
	})
}

// FuzzParseColumns: no text makes it panic, and what it takes New takes, or refuses.
func FuzzParseColumns(f *testing.F) {
	for _, seed := range []string{eventColumns, "a:", "`a``b`:map<int,struct<x y:char(3)>>", `[{"Name":"a","Type":"decimal(3,1)"}]`, `{"Table":{"StorageDescriptor":{}}}`, `{"Table":{"Table":null}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		columns, err := convert.ParseColumns(text)
		if err != nil {
			return
		}
		c, err := convert.New(convert.Config{Columns: columns})
		if err != nil {
			return
		}
		if _, failed, err := c.Convert([][]byte{[]byte(`{"a":{}}`)}); err != nil {
			t.Fatalf("failed %+v, error %v", failed, err)
		}
	})
}

// FuzzTimestampFormat: no pattern and no value makes it panic.
func FuzzTimestampFormat(f *testing.F) {
	for _, seed := range [][2]string{
		{"dd/MMM/yyyy:HH:mm:ss Z", "07/Feb/2018:19:58:48 +0000"}, {"yyyyDDDhha'x'''", "2026366012PMx'"}, {"SSSSyySz", "12345678UTC"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		c, err := convert.New(hive("a:timestamp,b:date", pattern))
		if err != nil {
			return
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Convert([][]byte{fmt.Appendf(nil, `{"a":%s,"b":%[1]s}`, text)}); err != nil {
			t.Fatal(err)
		}
	})
}

package convert_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/convert"
)

func TestNewRefuses(t *testing.T) {
	parquet := func(out convert.ParquetSerDe) convert.Config {
		cfg := openX("a:int")
		cfg.Serializer.ParquetSerDe = &out
		return cfg
	}
	orc, both := openX("a:int"), hive("a:int")
	orc.Serializer.OrcSerDe = &struct{}{}
	both.Deserializer.OpenXJsonSerDe = &convert.OpenXJsonSerDe{}
	for want, cfg := range map[string]convert.Config{
		"ORC (OrcSerDe) can't be written here":                   orc,
		"there are two deserializers":                            both,
		"there are no columns":                                   {},
		"BlockSizeBytes 1 is less than 67108864 (64 MiB)":        parquet(convert.ParquetSerDe{BlockSizeBytes: 1}),
		"PageSizeBytes 65535 is less than 65536 (64 KiB)":        parquet(convert.ParquetSerDe{PageSizeBytes: 65535}),
		`Compression "ZSTD" is not one of UNCOMPRESSED, GZIP`:    parquet(convert.ParquetSerDe{Compression: "ZSTD"}),
		"MaxPaddingBytes -1 is less than 0":                      parquet(convert.ParquetSerDe{MaxPaddingBytes: -1}),
		`WriterVersion "V3" is not one of V1 and V2`:             parquet(convert.ParquetSerDe{WriterVersion: "V3"}),
		`TimestampFormats "yyyy-w": the letter 'w' is not known`: hive("a:int", "yyyy-w"),
		`TimestampFormats "'T": a single quote is not closed`:    hive("a:int", "'T"),
		"TimestampFormats has an empty pattern":                  hive("a:int", ""),
	} {
		if _, err := convert.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestNewNamesTheColumn(t *testing.T) {
	for _, test := range []struct{ typ, want string }{
		{"strng", `"strng" is not a type of Hive`},
		{"", "it ends where a type should stand"},
		{"int)", `")" stands where the end should`},
		{"uniontype<int,string>", "uniontype can't be written as Parquet"},
		{"array<uniontype<int>>", "uniontype can't be written as Parquet"},
		{"decimal(39,2)", `precision "39" is not in 1..38`},
		{"decimal(4,5)", `scale "5" is not in 0..4`},
		{"decimal(1 0,2)", `"0,2)" stands where ) should`},
		{"varchar", "it ends where a length in parentheses should stand"},
		{"varchar(65536)", `length "65536" is not in 1..65535`},
		{"char(0)", `length "0" is not in 1..255`},
		{"char(foo)", `length "foo" is not in 1..255`},
		{"array<string", "it ends where > should stand"},
		{"array", "it ends where < should stand"},
		{"map<string>", `">" stands where a comma and the type of the map's values should`},
		{"map<array<int>,int>", "a map's key can't be array<int>"},
		{"struct<>", `">" stands where a name should`},
		{"struct<a>", `">" stands where a colon and the type of a should`},
		{"struct<a:>", `">" stands where a type should`},
		{"struct<a:int,A:int>", `there are two members "a"`},
		{"struct<`a:int>", "it ends where a backquote should stand"},
		{strings.Repeat("array<", 40) + "int" + strings.Repeat(">", 40), "it nests deeper than 32"},
	} {
		cfg := convert.Config{Columns: []convert.Column{{Name: "ok", Type: "int"}, {Name: "Price", Type: test.typ}, {Name: "bad", Type: "?"}}}
		_, err := convert.New(cfg)
		for _, want := range []string{`column "Price"`, test.want, `column "bad"`} { // it tells all that is wrong
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %s", test.typ, err, want)
			}
		}
	}
	for want, columns := range map[string][]convert.Column{
		`there are two columns "a"`: {{Name: "a", Type: "int"}, {Name: "A", Type: "int"}},
		"column 2 has no name":      {{Name: "a", Type: "int"}, {Name: "", Type: "int"}},
	} {
		if _, err := convert.New(convert.Config{Columns: columns}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// The schema is as Hive's HiveSchemaConverter makes it, in the table's order.
func TestContentEncoding(t *testing.T) {
	for compression, want := range map[string]string{"": "hadoop-snappy", "SNAPPY": "hadoop-snappy", "GZIP": "", "UNCOMPRESSED": ""} {
		cfg := openX("a:int")
		cfg.Serializer.ParquetSerDe = &convert.ParquetSerDe{Compression: compression}
		if got := newConverter(t, cfg).ContentEncoding(); got != want {
			t.Errorf("compression %q: Content-Encoding %q, want %q", compression, got, want)
		}
	}
}

func TestSchema(t *testing.T) {
	cfg := openX("z:boolean,y:TINYINT,x:smallint,w:int,w2:integer,v:bigint,u:float,t:double,s:decimal(9,2),s2:decimal,s3:decimal(38),r:string,q:char(3)," +
		"p:varchar( 9 ),o:binary,n:date,m:timestamp,l:array<array<int>>,k:map<string,struct<`b:``B`:int,a b:string>>")
	body, _, err := newConverter(t, cfg).Convert([][]byte{[]byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	want := `message hive_schema {
	optional boolean z;
	optional int32 y (INT(8,true));
	optional int32 x (INT(16,true));
	optional int32 w (INT(32,true));
	optional int32 w2 (INT(32,true));
	optional int64 v (INT(64,true));
	optional float u;
	optional double t;
	optional fixed_len_byte_array(4) s (DECIMAL(9,2));
	optional fixed_len_byte_array(5) s2 (DECIMAL(10,0));
	optional fixed_len_byte_array(16) s3 (DECIMAL(38,0));
	optional binary r (STRING);
	optional binary q (STRING);
	optional binary p (STRING);
	optional binary o;
	optional int32 n (DATE);
	optional int96 m;
	optional group l (LIST) {
		repeated group bag {
			optional group array_element (LIST) {
				repeated group bag {
					optional int32 array_element (INT(32,true));
				}
			}
		}
	}
	optional group k (MAP) {
		repeated group map {
			required binary key (STRING);
			optional group value {
				optional int32 b:` + "`" + `b (INT(32,true));
				optional binary a b (STRING);
			}
		}
	}
}`
	if diff := cmp.Diff(want, open(t, body).Schema().String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestParseColumns(t *testing.T) {
	want := []convert.Column{{Name: "id", Type: "bigint"}, {Name: "tags", Type: "array<struct<a:int,b:decimal(9,2)>>"}}
	list := `[{"Name":"id","Type":"bigint","Comment":"its number"},{"Name":"tags","Type":"array<struct<a:int,b:decimal(9,2)>>"}]`
	for _, text := range []string{
		list,
		"\n" + `{"Name":"events","Columns":` + list + `}`,
		`{"Columns":` + list + `,"Location":"s3://bucket/"}`,
		`{"Name":"events","StorageDescriptor":{"Columns":` + list + `},"PartitionKeys":[{"Name":"day","Type":"date"}]}`,
		`{"Table":{"Name":"events","StorageDescriptor":{"Columns":` + list + `}}}`,
		"id:bigint,tags:array<struct<a:int,b:decimal(9,2)>>",
		" id : bigint ,\n  tags : array<struct<a:int,b:decimal(9,2)>> ",
		"`ID`:bigint,tags:array<struct<a:int,b:decimal(9,2)>>",
	} {
		got, err := convert.ParseColumns(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v, -want +got\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"":                   "it ends where a name should stand",
		"id":                 "it ends where a colon and the type of id should stand",
		"id:bigint,":         "it ends where a name should stand",
		"id:bigint tags:int": `"tags:int" stands where a comma or the end should`,
		"id:big":             `"big" is not a type of Hive`,
		"id:int,ID:int":      `there are two members "id"`,
		"[":                  "unexpected end of JSON input",
		"{}":                 "there are none in the JSON",
		`{"Columns":[]}`:     "there are none in the JSON",
		`{"Columns":"id"}`:   "cannot unmarshal string",
		`{"Table":{"Name":1`: "unexpected end of JSON input",
	} {
		if columns, err := convert.ParseColumns(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, error %v, want %s", text, columns, err, want)
		}
	}
}

package convert_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/convert"
)

// scalarTest is JSON values and what a column makes of each.
type scalarTest struct {
	typ   string
	cases [][2]string
}

func (s scalarTest) run(t *testing.T, cfg convert.Config) {
	t.Helper()
	for _, c := range s.cases {
		want := c[1]
		if strings.HasPrefix(want, "!") {
			want = "Data does not match the schema. " + want[1:]
		}
		if got := values(t, cfg, c[0])[0]; got != want {
			t.Errorf("%s of %s is\n%s, want\n%s", s.typ, c[0], got, want)
		}
	}
}

func TestOpenXScalars(t *testing.T) {
	for _, test := range []scalarTest{
		{"boolean", [][2]string{
			{"true", "true"},
			{"false", "false"},
			{"null", "null"},
			{`"TRUE"`, "true"},
			{`"yes"`, "false"},
			{"1", "!boolean can't be read from java.lang.Long."},
			{"[]", "!boolean can't be read from an array."},
		}},
		{"tinyint", [][2]string{
			{"-128", "-128"},
			{"127", "127"},
			{`"12"`, "12"},
			{`"0x7f"`, "127"},
			{"128", `!For input string: "128"`},
			{"1.0", `!For input string: "1.0"`},
			{`""`, `!For input string: ""`},
		}},
		{"smallint", [][2]string{{"32767", "32767"}, {"-32769", `!For input string: "-32769"`}}},
		{"int", [][2]string{
			{"2147483647", "2147483647"},
			{"-2147483648", "-2147483648"},
			{`"7"`, "7"},
			{`"oops"`, `!For input string: "oops"`},
			{"2147483648", `!For input string: "2147483648"`},
			{"true", "!int can't be read from java.lang.Boolean."},
		}},
		{"bigint", [][2]string{
			{"9223372036854775807", "9223372036854775807"}, {"9223372036854775808", `!For input string: "9223372036854775808"`},
		}},
		{"float", [][2]string{{"1.5", "1.5"}, {"3", "3"}, {"1e100", `"+Inf"`}}},
		{"double", [][2]string{
			{"1.5", "1.5"},
			{"-2e-3", "-0.002"},
			{`" 2.5 "`, "2.5"},
			{`"NaN"`, `"NaN"`},
			{`"-Infinity"`, `"-Inf"`},
			{`"oops"`, `!For input string: "oops"`},
			{`"inf"`, `!For input string: "inf"`},
			{`"0x1p4"`, `!For input string: "0x1p4"`},
		}},
		{"decimal(5,2)", [][2]string{
			{"1", `"1.00"`},
			{"12.345", `"12.35"`},
			{"-12.345", `"-12.35"`},
			{"12.344", `"12.34"`},
			{`"+0.5e1"`, `"5.00"`},
			{"0.005", `"0.01"`},
			{"0.0049", `"0.00"`},
			{"-0.01", `"-0.01"`},
			{"999.99", `"999.99"`},
			{"999.995", "!999.995 is too large for decimal(5,2)."},
			{"1000", "!1000 is too large for decimal(5,2)."},
			{"1e1000000000000", "!1e1000000000000 is too large for decimal(5,2)."},
			{`"1e-99999999999999999999"`, `"0.00"`},
			{"0e99", `"0.00"`},
			{`"1.2.3"`, `!For input string: "1.2.3"`},
			{`"."`, `!For input string: "."`},
			{`"1e"`, `!For input string: "1e"`},
		}},
		{"decimal(38,0)", [][2]string{
			{"99999999999999999999999999999999999999", `"99999999999999999999999999999999999999"`},
			{"-99999999999999999999999999999999999999", `"-99999999999999999999999999999999999999"`},
		}},
		{"string", [][2]string{
			{`"a"`, `"a"`},
			{`""`, `""`},
			{"1.50", `"1.50"`},
			{"true", `"true"`},
			{`"\u00e9\ud83d\ude00\n\/\ud800"`, `"é😀\n/�"`},
			{`{"A": [1, {"B\n": null}], "z": "\"\\"}`, `"{\"a\":[1,{\"b\\n\":null}],\"z\":\"\\\"\\\\\"}"`},
			{`[]`, `"[]"`},
		}},
		{"varchar(3)", [][2]string{{`"äöüß"`, `"äöü"`}, {`"a "`, `"a "`}, {"12345", `"123"`}}},
		{"char(3)", [][2]string{{`"a  b"`, `"a"`}, {`"abcd"`, `"abc"`}}},
		{"binary", [][2]string{{`"é"`, `"é"`}, {"1", "!binary can't be read from java.lang.Long."}}},
		{"date", [][2]string{
			{`"1970-01-02"`, "1"},
			{`"2026-9-7"`, "20703"},
			{`"1969-12-31"`, "-1"},
			{`"2026-02-29"`, `!For input string: "2026-02-29"`},
			{`"2026-01-01x"`, `!For input string: "2026-01-01x"`},
			{"1", "!date can't be read from java.lang.Long."},
		}},
		{"timestamp", [][2]string{
			{`"2017-02-07T15:13:01.39256Z"`, `"2017-02-07T15:13:01.39256"`},
			{`"2018-02-07T20:38:48Z"`, `"2018-02-07T20:38:48"`},
			{`"2017-02-07 15:13:01.14"`, `"2017-02-07T15:13:01.14"`},
			{`"2026-9-7 1:2:3.123456789"`, `"2026-09-07T01:02:03.123456789"`},
			{"1518033528", `"2018-02-07T19:58:48"`},
			{"1518033528123", `"2018-02-07T19:58:48.123"`},
			{"1518033528.123", `"2018-02-07T19:58:48.123"`},
			{`"1518033528123"`, `"2018-02-07T19:58:48.123"`},
			{`"1518033528"`, `"2018-02-07T19:58:48"`},
			{"1000000000000", `"2001-09-09T01:46:40"`},
			{"0", `"1970-01-01T00:00:00"`},
			{"-1000", `"1969-12-31T23:43:20"`},
			{"-0.5", `"1969-12-31T23:59:59.5"`},
			{"999999999999", `"33658-09-27T01:46:39"`},
			{`"2026-9-7T12:00:02Z"`, `!For input string: "2026-9-7T12:00:02Z"`},
			{`"2026-09-07T12:00:02"`, `!For input string: "2026-09-07T12:00:02"`},
			{`"2026-05-21T14:00:00+00:00"`, `!For input string: "2026-05-21T14:00:00+00:00"`},
			{`"2026-05-21 24:00:00"`, `!For input string: "2026-05-21 24:00:00"`},
			{"1e18", "!31690708-07-05 01:46:40 +0000 UTC is too far away for a timestamp."},
			{"1e99", `!For input string: "1e99"`},
			{`"soon"`, `!For input string: "soon"`},
		}},
	} {
		test.run(t, openX("x:"+test.typ))
	}
}

func TestHiveScalars(t *testing.T) {
	for _, test := range []scalarTest{
		{"boolean", [][2]string{{"true", "true"}, {`"True"`, "true"}, {"1", "false"}, {"{}", "!boolean can't be read from an object."}}},
		{"int", [][2]string{
			{"7", "7"},
			{"7.9", "7"},
			{"-7.9", "-7"},
			{"1e3", "1000"},
			{`"7"`, "!Current token (VALUE_STRING) not numeric, can not use numeric value accessors"},
			{"true", "!Current token (VALUE_TRUE) not numeric, can not use numeric value accessors"},
			{"[1]", "!Current token (START_ARRAY) not numeric, can not use numeric value accessors"},
			{"2147483648", "!Numeric value (2147483648) out of range of int"},
			{"1e99", "!Numeric value (1e99) out of range of int"},
		}},
		{"double", [][2]string{{"1.5", "1.5"}, {`"1.5"`, "!Current token (VALUE_STRING) not numeric, can not use numeric value accessors"}}},
		{"decimal(5,2)", [][2]string{{"1.5", `"1.50"`}, {`"1.5"`, `"1.50"`}, {"true", `!For input string: "true"`}}},
		{"string", [][2]string{
			{"1", `"1"`}, {"false", `"false"`}, {`{"nested":1}`, "One or more fields have incorrect format. Exception when validating field (root)"},
		}},
		{"char(2)", [][2]string{{`"abc"`, `"ab"`}}},
		{"binary", [][2]string{{`"ab"`, `"ab"`}}},
		{"date", [][2]string{{`"2026-9-7"`, "20703"}, {`"7.9.2026"`, `!For input string: "7.9.2026"`}}},
		{"timestamp", [][2]string{
			{`"2026-09-07 01:02:03.5"`, `"2026-09-07T01:02:03.5"`},
			{`"2026-09-07T01:02:03Z"`, `!For input string: "2026-09-07T01:02:03Z"`},
			{"1518033528123", `!For input string: "1518033528123"`},
		}},
	} {
		test.run(t, hive("x:"+test.typ))
	}
}

// What AWS was seen to make of nested values, with both deserializers.
func TestNested(t *testing.T) {
	const columns = "id:string,tags:array<string>,person:struct<name:string,age:int>,items:array<struct<sku:string,qty:int>>,attrs:map<string,array<string>>"
	const none = `{"attrs":null,"id":null,"items":null,"person":null,"tags":null}`
	for _, test := range []struct {
		record, openX, hive string // want starts with { for the row's members that are not null, else is a message
	}{
		{
			`{"tags":["a","b"],"person":{"name":"Al","age":3},"items":[{"sku":"s","qty":2}],"attrs":{"K":["v","w"]}}`,
			`{"attrs":{"k":["v","w"]},"items":[{"qty":2,"sku":"s"}],"person":{"age":3,"name":"Al"},"tags":["a","b"]}`,
			`{"attrs":{"K":["v","w"]},"items":[{"qty":2,"sku":"s"}],"person":{"age":3,"name":"Al"},"tags":["a","b"]}`,
		},
		{`{"tags":"solo"}`, `{"tags":["solo"]}`, "!java.io.IOException: Start of Array expected"},
		{`{"items":{"sku":"x","qty":1}}`, `{"items":[{"qty":1,"sku":"x"}]}`, "!java.io.IOException: Start of Array expected"},
		{`{"attrs":{"k":"v"}}`, `{"attrs":{"k":["v"]}}`, "!java.io.IOException: Start of Array expected"},
		{`{"person":["Zoe",9,"more"]}`, `{"person":{"age":9,"name":"Zoe"}}`, "!java.io.IOException: Start of Object expected"},
		{`{"person":["Zoe"]}`, `{"person":{"age":null,"name":"Zoe"}}`, "!java.io.IOException: Start of Object expected"},
		{`{"person":[]}`, `{"person":{"age":null,"name":null}}`, "!java.io.IOException: Start of Object expected"},
		{`{"person":42}`, "!Data is not JSONObject  but java.lang.Long with value 42", "!java.io.IOException: Start of Object expected"},
		{`{"person":"x"}`, "!Data is not JSONObject  but java.lang.String with value x", "!java.io.IOException: Start of Object expected"},
		{`{"PERSON":{"NAME":"Bob","AGE":4}}`, `{"person":{"age":4,"name":"Bob"}}`, `{"person":{"age":4,"name":"Bob"}}`},
		{`{"person":{"name":"C","extra":{"a":[1]}}}`, `{"person":{"age":null,"name":"C"}}`, `{"person":{"age":null,"name":"C"}}`},
		{`{"person":{},"tags":[],"attrs":{}}`, `{"attrs":{},"person":{"age":null,"name":null},"tags":[]}`, `{"attrs":{},"person":{"age":null,"name":null},"tags":[]}`},
		{
			`{"tags":["a",null,"c"],"items":[null],"attrs":{"k":null,"l":[null,"x"]}}`,
			`{"attrs":{"k":null,"l":[null,"x"]},"items":[null],"tags":["a",null,"c"]}`, `{"attrs":{"k":null,"l":[null,"x"]},"items":[null],"tags":["a",null,"c"]}`,
		},
		{`{"tags":[1,2.50,true]}`, `{"tags":["1","2.50","true"]}`, `{"tags":["1","2.50","true"]}`},
		{`{"tags":[["a","b"],{"MixedKey":1}]}`, `{"tags":["[\"a\",\"b\"]","{\"mixedkey\":1}"]}`, "One or more fields have incorrect format. Exception when validating field (root)"},
		{`{"items":[{"sku":"s","qty":"3"}]}`, `{"items":[{"qty":3,"sku":"s"}]}`, "!Current token (VALUE_STRING) not numeric, can not use numeric value accessors"},
		{`{"items":[{"sku":"s","qty":"oops"}]}`, `!For input string: "oops"`, "!Current token (VALUE_STRING) not numeric, can not use numeric value accessors"},
		{`{"attrs":[["k",["v"]]]}`, "!A map can't be read from an array.", "!java.io.IOException: Start of Object expected"},
		{`{"attrs":{"k":["1"],"k":["2"]}}`, `{"attrs":{"k":["2"]}}`, `{"attrs":{"k":["2"]}}`},
		{`{"person":"  ","attrs":"","tags":""}`, `{}`, "!java.io.IOException: Start of Array expected"},
		{`{"tags":null,"person":null,"items":null,"attrs":null}`, `{}`, `{}`},
	} {
		for serde, cfg := range map[string]convert.Config{test.openX: openX(columns), test.hive: hive(columns)} {
			want := strings.Replace(serde, "!", "Data does not match the schema. ", 1)
			if strings.HasPrefix(want, "{") {
				want = merge(t, none, want)
			}
			rows, failed := run(t, cfg, test.record)
			for _, f := range failed {
				rows = append(rows, f.Message)
			}
			if got := strings.Join(rows, "\n"); got != want {
				t.Errorf("%s with %+v is\n%s, want\n%s", test.record, cfg.Deserializer, got, want)
			}
		}
	}
}

// merge puts the members of the second object into the first.
func merge(t *testing.T, base, over string) string {
	t.Helper()
	var all map[string]any
	for _, text := range []string{base, over} {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err, text)
		}
	}
	return line(t, all)
}

func TestNames(t *testing.T) {
	exact := false
	for _, test := range []struct {
		name, columns string
		openX         convert.OpenXJsonSerDe
		record, want  string
	}{
		{"any case", "UserId:int", convert.OpenXJsonSerDe{}, `{"USERid":1,"other":[{}]}`, `{"userid":1}`},
		{"the last of two", "a:int", convert.OpenXJsonSerDe{}, `{"a":1,"A":2}`, `{"a":2}`},
		{"exact", "a:int,b:int,m:map<string,int>,s:string", convert.OpenXJsonSerDe{CaseInsensitive: &exact}, `{"A":1,"b":2,"m":{"K":1},"s":{"K":1}}`, `{"a":null,"b":2,"m":{"K":1},"s":"{\"K\":1}"}`},
		{"mapped", "ts:string,s:struct<ts:int>", convert.OpenXJsonSerDe{ColumnToJsonKeyMappings: map[string]string{"TS": "timeStamp"}}, `{"TIMESTAMP":"a","ts":"b","s":{"timestamp":1}}`, `{"s":{"ts":1},"ts":"a"}`},
		{"mapped exactly", "ts:string", convert.OpenXJsonSerDe{CaseInsensitive: &exact, ColumnToJsonKeyMappings: map[string]string{"ts": "timeStamp"}}, `{"timestamp":"a","timeStamp":"b"}`, `{"ts":"b"}`},
		{"dots", "a_b:int,c_d:int,s:struct<x_y:int>", convert.OpenXJsonSerDe{ConvertDotsInJsonKeysToUnderscores: true}, `{"A.b":1,"c_d":2,"c.d":3,"s":{"x.y":4}}`, `{"a_b":1,"c_d":2,"s":{"x_y":4}}`},
		{"dots before the name itself", "c_d:int", convert.OpenXJsonSerDe{ConvertDotsInJsonKeysToUnderscores: true}, `{"c.d":3,"c_d":2}`, `{"c_d":2}`},
		{"no dots", "a_b:int", convert.OpenXJsonSerDe{}, `{"a.b":1}`, `{"a_b":null}`},
		{"map keys of a type", "m:map<int,date>", convert.OpenXJsonSerDe{}, `{"m":{"7":"1970-01-02"}}`, `{"m":{"7":1}}`},
	} {
		rows, failed := run(t, openX(test.columns, test.openX), test.record)
		if diff := cmp.Diff([]string{test.want}, rows); diff != "" || failed != nil {
			t.Errorf("%s: %s: -want +got\n%s%+v", test.name, test.record, diff, failed)
		}
	}
}

func TestRecords(t *testing.T) {
	for _, test := range []struct {
		record string
		rows   string // the values of a
		want   string // code and message
	}{
		{`{"a":1}`, "1", ""},
		{`{"a":1}{"a":2}`, "1 2", ""},
		{" {\"a\":1}\n\r\n\t{\"a\":2}\n", "1 2", ""},
		{"", "", "MalformedData The record was empty or contained only whitespace."},
		{" \r\n", "", "MalformedData The record was empty or contained only whitespace."},
		{"this is not JSON", "", "ParseError Encountered malformed JSON. 't' at byte 0 stands where a value should"},
		{`{"a":1} and more`, "", "ParseError Encountered malformed JSON. 'a' at byte 8 stands where a value should"},
		{`{"a":1}{"a":"oops"}`, "", `MalformedData Data does not match the schema. For input string: "oops"`},
		{`{"a":1},{"a":2}`, "", "ParseError Encountered malformed JSON. ',' at byte 7 stands where a value should"},
		{`[{"a":1},{"a":2}]`, "", "MalformedData Data does not match the schema. An array of JSON documents is not a valid input."},
		{"42", "", "MalformedData The input JSON contained a primitive at the top level. The top level must be an object or array."},
		{"null", "", "MalformedData The input JSON contained a primitive at the top level. The top level must be an object or array."},
		{"{\"b\":\"\xff\"}", "", "ParseError Encountered malformed JSON. it is not UTF-8"},
		{`{"a":1`, "", "ParseError Encountered malformed JSON. it ends where a comma or } should stand"},
		{`{"b":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "}", "", "ParseError Encountered malformed JSON. it nests deeper than 1000"},
	} {
		// Between two good records, which must not be touched.
		rows, failed := run(t, openX("a:int"), `{"a":-1}`, test.record, `{"a":-2}`)
		var want []string
		for _, a := range strings.Fields("-1 " + test.rows + " -2") {
			want = append(want, `{"a":`+a+`}`)
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("%.60q: rows -want +got\n%s", test.record, diff)
		}
		var got string
		for _, f := range failed {
			got += strings.TrimPrefix(f.Code, "DataFormatConversion.") + " " + f.Message
			if f.Index != 1 {
				t.Errorf("%.60q: index %d, want 1", test.record, f.Index)
			}
		}
		if got != test.want {
			t.Errorf("%.60q: failed %q, want %q", test.record, got, test.want)
		}
	}
}

func TestNothingConverted(t *testing.T) {
	c := newConverter(t, openX("a:int"))
	body, failed, err := c.Convert([][]byte{[]byte("x")})
	if body != nil || len(failed) != 1 || err != nil {
		t.Errorf("body %d parts, failed %+v, error %v; want no file", len(body), failed, err)
	}
	if body, failed, err := c.Convert(nil); body != nil || failed != nil || err != nil {
		t.Errorf("of no records: body %d parts, failed %+v, error %v", len(body), failed, err)
	}
}

func TestTimestampFormats(t *testing.T) {
	for _, test := range []struct{ format, value, want string }{
		{"millis", "1518033528123", "2018-02-07T19:58:48.123"},
		{"millis", `"-1.9"`, "1969-12-31T23:59:59.999"},
		{"millis", `"2026-01-02 03:04:05"`, "2026-01-02T03:04:05"},
		{"millis", `"1e3"`, ""},
		{"yyyy-MM-dd'T'HH:mm:ss.SSSZ", `"2026-01-02T03:04:05.678+0130"`, "2026-01-02T01:34:05.678"},
		{"yyyy-MM-dd'T'HH:mm:ssZZ", `"2026-01-02T03:04:05-01:00"`, "2026-01-02T04:04:05"},
		{"yyyy-MM-dd'T'HH:mm:ssZ", `"2026-01-02T03:04:05Z"`, "2026-01-02T03:04:05"},
		{"dd/MMM/yyyy:HH:mm:ss Z", `"07/Feb/2018:19:58:48 +0000"`, "2018-02-07T19:58:48"},
		{"EEE, d MMMM yyyy h:mm a z", `"Wed, 7 february 2018 12:05 pm GMT"`, "2018-02-07T12:05:00"},
		{"EEEE d MMM yy K:mm a", `"Wednesday 7 Feb 18 0:05 AM"`, "2018-02-07T00:05:00"},
		{"h a", `"12 AM"`, "1970-01-01T00:00:00"},
		{"yyyyMMddHHmmss", `"20260102030405"`, "2026-01-02T03:04:05"},
		{"yyyyMMddHHmmss", `20260102030405`, "2026-01-02T03:04:05"},
		{"yyyyMMddHHmmssSSS", `"20260102030405060"`, "2026-01-02T03:04:05.06"},
		{"yyyy-DDD kk", `"2026-032 24"`, "2026-02-01T00:00:00"},
		{"yyyy-DDD", `"2026-366"`, ""},
		{"ss.SSSSSSSSS", `"05.123456789"`, "1970-01-01T00:00:05.123"},
		{"ss.SSSSSS", `"05.1"`, "1970-01-01T00:00:05.1"},
		{"''yyyy''", `"'2026'"`, "2026-01-01T00:00:00"},
		{"'year ''of'' 'yyyy", `"year 'of' 2026"`, "2026-01-01T00:00:00"},
		{"yyyy年M月", `"2026年9月"`, "2026-09-01T00:00:00"},
		{"yyyy", `"2026 "`, ""},
		{"yyyy", `"-0044"`, "-0044-01-01T00:00:00"},
		{"HH:mm", `"24:00"`, ""},
		{"MM", `"13"`, ""},
		{"z", `"XYZ"`, ""},
		{"Z", `"+1"`, ""},
		{"yy", `"99"`, "1999-01-01T00:00:00"},
		{"yy", `"2026"`, "2026-01-01T00:00:00"},
	} {
		got := values(t, hive("x:timestamp", "HH'nothing has this'", test.format), test.value)[0]
		want := `"` + test.want + `"`
		if test.want == "" {
			want = `Data does not match the schema. For input string: "` + strings.Trim(test.value, `"`) + `"`
		}
		if got != want {
			t.Errorf("%s of %s is %s, want %s", test.format, test.value, got, want)
		}
	}
	if got := values(t, hive("x:date", "d.M.yyyy"), `"7.9.2026"`)[0]; got != "20703" {
		t.Errorf("the date is %s, want 20703", got)
	}
}

func TestManyGoroutines(t *testing.T) {
	c := newConverter(t, openX("a:int,s:struct<b:array<string>>"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body, _, err := c.Convert([][]byte{fmt.Appendf(nil, `{"a":%d,"s":{"b":["%d"]}}`, i, i)})
			if err != nil {
				t.Error(err)
				return
			}
			want := []string{fmt.Sprintf(`{"a":%d,"s":{"b":["%d"]}}`, i, i)}
			if diff := cmp.Diff(want, rowsOf(t, body)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	wg.Wait()
}

func TestErrorRecord(t *testing.T) {
	r := convert.ErrorRecord{
		AttemptsMade: 1, ArrivalTimestamp: 1789560304000, LastErrorCode: convert.CodeMalformed, LastErrorMessage: `Data does not match the schema. <&>"`,
		AttemptEndingTimestamp: 1789560364000, RawData: []byte("{\"a\":\"oops\"}\n"), SequenceNumber: "4967", SubSequenceNumber: 2,
		DataCatalogTable: convert.DataCatalogTable{
			CatalogID: "000000000000", DatabaseName: "db", TableName: "events", Region: "eu-west-1", VersionID: "LATEST",
			CatalogARN: "arn:aws:glue:eu-west-1:000000000000:catalog",
		},
	}
	want := `{"attemptsMade":1,"arrivalTimestamp":1789560304000,"lastErrorCode":"DataFormatConversion.MalformedData",` +
		`"lastErrorMessage":"Data does not match the schema. <&>\"","attemptEndingTimestamp":1789560364000,"rawData":"eyJhIjoib29wcyJ9Cg==",` +
		`"sequenceNumber":"4967","subSequenceNumber":2,"dataCatalogTable":{"catalogId":"000000000000","databaseName":"db","tableName":"events",` +
		`"region":"eu-west-1","versionId":"LATEST","catalogArn":"arn:aws:glue:eu-west-1:000000000000:catalog"}}` + "\n"
	if got := string(r.AppendLine([]byte("before\n"))); got != "before\n"+want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	empty := convert.ErrorRecord{}
	if line := string(empty.AppendLine(nil)); !strings.Contains(line, `"rawData":""`) {
		t.Errorf("of no data: %s", line)
	}
}

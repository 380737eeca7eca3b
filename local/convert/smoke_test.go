package convert

import ("testing";"bytes";"github.com/parquet-go/parquet-go";"os")
func TestSmoke(t *testing.T) {
	cols, err := ParseColumns("b:boolean,t:tinyint,id:bigint,name:string,ts:timestamp,d:decimal(10,2),tags:array<string>,m:map<string,int>,s:struct<a:int,b:array<struct<x:double>>>,day:date")
	if err != nil { t.Fatal(err) }
	for _, v := range []string{"V1","V2"} { for _, dict := range []bool{false,true} {
	c, err := New(Config{Columns: cols, Serializer: Serializer{ParquetSerDe:&ParquetSerDe{WriterVersion:v, EnableDictionaryCompression:dict}}})
	if err != nil { t.Fatal(err) }
	body, failed, err := c.Convert([][]byte{
		[]byte(`{"id":1,"NAME":"x","ts":"2026-01-02 03:04:05.6","d":"12.345","tags":["a",null,"c"],"m":{"K":1,"z":null},"s":{"a":1,"b":[{"x":1.5},null,{}]},"day":"2026-1-2","b":true,"t":-3}`),
		[]byte(`{"id":2,"tags":[],"m":{},"s":{}}{"id":3}`),
		[]byte(`nope`), []byte(`{"id":"oops"}`),
	})
	t.Log(failed, err)
	all := bytes.Join(body, nil)
	os.WriteFile("/tmp/smoke-"+v+".parquet", all, 0o644)
	f, err := parquet.OpenFile(bytes.NewReader(all), int64(len(all)))
	if err != nil { t.Fatal(err) }
	t.Log(f.Schema())
	for _, rg := range f.RowGroups() { rows := rg.Rows(); buf := make([]parquet.Row, 10); n, _ := rows.ReadRows(buf); for _, r := range buf[:n] { t.Logf("%+v", r) } ; rows.Close() }
	}}
}

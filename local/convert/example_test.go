package convert_test

import (
	"bytes"
	"fmt"
	"log"
	"os"

	"github.com/parquet-go/parquet-go"

	"github.com/hydrant-go/hydrant/local/convert"
)

// Two records become a file; the third goes to the error output.
func Example() {
	columns, err := convert.ParseColumns("id:bigint,name:string,tags:array<string>")
	if err != nil {
		log.Fatal(err)
	}
	c, err := convert.New(convert.Config{Columns: columns})
	if err != nil {
		log.Fatal(err)
	}
	records := [][]byte{
		[]byte(`{"id":1,"name":"a","tags":["x","y"]}`),
		[]byte(`{"ID":"2"}{"id":3,"unknown":true}`),
		[]byte(`{"id":"four"}`),
	}
	body, failed, err := c.Convert(records)
	if err != nil {
		log.Fatal(err)
	}
	file := bytes.Join(body, nil)
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("rows:", f.NumRows())
	for _, bad := range failed {
		fmt.Println(bad.Index, bad.Code)
		record := convert.ErrorRecord{
			AttemptsMade: 1, LastErrorCode: bad.Code, LastErrorMessage: bad.Message, RawData: records[bad.Index],
			DataCatalogTable: convert.DataCatalogTable{DatabaseName: "db", TableName: "events", VersionID: "LATEST"},
		}
		os.Stdout.Write(record.AppendLine(nil))
	}
	// Output:
	// rows: 3
	// 2 DataFormatConversion.MalformedData
	// {"attemptsMade":1,"arrivalTimestamp":0,"lastErrorCode":"DataFormatConversion.MalformedData","lastErrorMessage":"Data does not match the schema. For input string: \"four\"","attemptEndingTimestamp":0,"rawData":"eyJpZCI6ImZvdXIifQ==","sequenceNumber":"","subSequenceNumber":0,"dataCatalogTable":{"catalogId":"","databaseName":"db","tableName":"events","region":"","versionId":"LATEST","catalogArn":""}}
}

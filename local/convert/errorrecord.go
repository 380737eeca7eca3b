package convert

import (
	"bytes"
	"encoding/json"
)

// ErrorRecord is what Firehose writes of a record that could not be converted
// (developer guide, "Handling errors for data format conversion"). AWS was seen to name
// the error's members lastErrorCode and lastErrorMessage, where the newest copy of
// that page has ErrorCode and ErrorMessage.
type ErrorRecord struct {
	AttemptsMade           int64  `json:"attemptsMade"`
	ArrivalTimestamp       int64  `json:"arrivalTimestamp"` // milliseconds since 1970
	LastErrorCode          string `json:"lastErrorCode"`
	LastErrorMessage       string `json:"lastErrorMessage"`
	AttemptEndingTimestamp int64  `json:"attemptEndingTimestamp"` // milliseconds since 1970
	RawData                []byte `json:"rawData"`                // the record; base64 in JSON
	// SequenceNumber is a long decimal number; AWS was seen to give one to records that
	// did not come from a Kinesis stream, too.
	SequenceNumber    string           `json:"sequenceNumber"`
	SubSequenceNumber int64            `json:"subSequenceNumber"`
	DataCatalogTable  DataCatalogTable `json:"dataCatalogTable"`
}

// DataCatalogTable is the table that a stream's records are converted by: its
// SchemaConfiguration.
type DataCatalogTable struct {
	CatalogID    string `json:"catalogId"`
	DatabaseName string `json:"databaseName"`
	TableName    string `json:"tableName"`
	Region       string `json:"region"`
	VersionID    string `json:"versionId"`
	CatalogARN   string `json:"catalogArn"`
}

// AppendLine appends the record as a line of JSON, which ends with a newline.
func (r *ErrorRecord) AppendLine(dst []byte) []byte {
	record := *r
	if record.RawData == nil {
		record.RawData = []byte{} // "" in JSON, not null
	}
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false) // AWS writes with Jackson, which does not
	if err := enc.Encode(&record); err != nil {
		panic(err) // strings, numbers and bytes can always be encoded
	}
	return append(dst, line.Bytes()...)
}

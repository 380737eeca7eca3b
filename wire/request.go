package wire

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/segmentio/asm/ascii"
	fast "github.com/segmentio/asm/base64"
)

// PutRequest is the input of PutRecord (one record) and PutRecordBatch. Members
// that a decoded body lacks are nil: the stream, the list, a record's Data.
type PutRequest struct {
	Stream  *string
	Records [][]byte
}

// AppendPutRecord appends the body of a PutRecord call to dst.
func AppendPutRecord(dst []byte, stream string, data []byte) []byte {
	dst = append(dst, `{"DeliveryStreamName":`...)
	dst = appendString(dst, stream)
	dst = append(dst, `,"Record":`...)
	dst = appendRecord(dst, data)
	return append(dst, '}')
}

// AppendPutRecordBatch appends the body of a PutRecordBatch call to dst.
func AppendPutRecordBatch(dst []byte, stream string, records [][]byte) []byte {
	size := 128 + len(stream)
	for _, data := range records {
		size += len(recordHead) + base64.StdEncoding.EncodedLen(len(data)) + len(recordTail) + 1
	}
	dst = slices.Grow(dst, size)
	dst = append(dst, `{"DeliveryStreamName":`...)
	dst = appendString(dst, stream)
	dst = append(dst, `,"Records":[`...)
	for i, data := range records {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRecord(dst, data)
	}
	return append(dst, "]}"...)
}

const recordHead, recordTail = `{"Data":"`, `"}`

// appendRecord is where the producer's time goes that the service does not
// force on it, so base64 is done by vector instructions where the machine has
// them; elsewhere the package falls back on the standard library.
func appendRecord(dst, data []byte) []byte {
	dst = append(dst, recordHead...)
	start, size := len(dst), fast.StdEncoding.EncodedLen(len(data))
	dst = slices.Grow(dst, size+len(recordTail))[:start+size]
	fast.StdEncoding.Encode(dst[start:], data)
	return append(dst, recordTail...)
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	if ascii.ValidPrintString(s) && strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\\') < 0 {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic("wire: a string that cannot be JSON: " + err.Error()) // json.Marshal has no error for strings
	}
	return append(dst, quoted...)
}

type jsonRecord struct{ Data *blob }

// blob is base64 text. Its own type, so that a bad one is an error that names
// its cause and null stays apart from empty.
type blob []byte

func (b *blob) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return Errorf(CodeSerialization, "Data must be a base64 string")
	}
	// AWS takes padded standard base64 only; Go's decoder would skip line ends.
	if strings.ContainsAny(s, "\r\n") {
		return Errorf(CodeSerialization, "Data is not valid base64: it holds a line end")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return Errorf(CodeSerialization, "Data is not valid base64: %v", err)
	}
	*b = raw
	return nil
}

// DecodePutRecord decodes the body of a PutRecord call. The error is an
// [*Error] with code SerializationException; constraints are [ValidatePut]'s.
//
// The call uses body up, whether it succeeds or not: the record may be a view of
// body's memory, decoded in place. Who keeps the record keeps all of body.
func DecodePutRecord(body []byte) (PutRequest, error) {
	if req, ok, err := scanPut(body, true); ok {
		return req, err
	}
	return slowPutRecord(body)
}

func slowPutRecord(body []byte) (PutRequest, error) {
	var in struct {
		DeliveryStreamName *string
		Record             *jsonRecord
	}
	if err := unmarshal(body, &in); err != nil {
		return PutRequest{}, err
	}
	req := PutRequest{Stream: in.DeliveryStreamName}
	if in.Record != nil {
		req.Records = [][]byte{in.Record.bytes()}
	}
	return req, nil
}

// DecodePutRecordBatch decodes the body of a PutRecordBatch call, with errors
// as in [DecodePutRecord]; it uses body up like that.
func DecodePutRecordBatch(body []byte) (PutRequest, error) {
	if req, ok, err := scanPut(body, false); ok {
		return req, err
	}
	return slowPutRecordBatch(body)
}

func slowPutRecordBatch(body []byte) (PutRequest, error) {
	var in struct {
		DeliveryStreamName *string
		Records            []*jsonRecord
	}
	if err := unmarshal(body, &in); err != nil {
		return PutRequest{}, err
	}
	req := PutRequest{Stream: in.DeliveryStreamName}
	if in.Records != nil {
		req.Records = make([][]byte, len(in.Records))
	}
	for i, r := range in.Records {
		req.Records[i] = r.bytes()
	}
	return req, nil
}

func (r *jsonRecord) bytes() []byte {
	if r == nil || r.Data == nil {
		return nil
	}
	return *r.Data
}

// unmarshal decodes a request; what is not JSON of the right shape is a
// SerializationException, as awsJson1_1 services answer it. The exact text that
// Firehose sends is not known.
func unmarshal(body []byte, in any) error {
	err := json.Unmarshal(body, in)
	if err == nil {
		return nil
	}
	if werr, ok := err.(*Error); ok {
		return werr
	}
	return Errorf(CodeSerialization, "the body is not valid JSON for this operation: %v", err)
}

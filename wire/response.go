package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// PutEntry is the fate of one record in an answer: a RecordID, or an error code
// and message.
type PutEntry struct {
	RecordID     string
	ErrorCode    string
	ErrorMessage string
}

// PutResponse is the answer to PutRecordBatch. Entries stand in the order of the
// request's records. FailedPutCount counts the entries with an error code.
type PutResponse struct {
	FailedPutCount int
	Encrypted      bool
	Entries        []PutEntry
}

// AppendPutRecordResponse appends the answer to a PutRecord call to dst.
func AppendPutRecordResponse(dst []byte, recordID string, encrypted bool) []byte {
	dst = slices.Grow(dst, len(`{"RecordId":"","Encrypted":false}`)+len(recordID))
	dst = append(dst, `{"RecordId":`...)
	dst = appendString(dst, recordID)
	dst = append(dst, `,"Encrypted":`...)
	dst = strconv.AppendBool(dst, encrypted)
	return append(dst, '}')
}

// AppendPutRecordBatchResponse appends the answer to a PutRecordBatch call to
// dst. The form is compact: Fluent Bit looks for `"FailedPutCount":0` as text.
// A successful entry has no error members: Redpanda Connect reads ErrorMessage
// wherever ErrorCode is set.
func AppendPutRecordBatchResponse(dst []byte, resp PutResponse) []byte {
	size := len(`{"FailedPutCount":500,"Encrypted":false,"RequestResponses":[]}`)
	for _, e := range resp.Entries {
		size += len(`{"RecordId":""},`) + len(e.RecordID)
		if e.ErrorCode != "" {
			size += len(`{"ErrorCode":"","ErrorMessage":""},`) + len(e.ErrorCode) + len(e.ErrorMessage)
		}
	}
	dst = slices.Grow(dst, size)
	dst = append(dst, `{"FailedPutCount":`...)
	dst = strconv.AppendInt(dst, int64(resp.FailedPutCount), 10)
	dst = append(dst, `,"Encrypted":`...)
	dst = strconv.AppendBool(dst, resp.Encrypted)
	dst = append(dst, `,"RequestResponses":[`...)
	for i, e := range resp.Entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEntry(dst, e)
	}
	return append(dst, "]}"...)
}

func appendEntry(dst []byte, e PutEntry) []byte {
	if e.ErrorCode == "" {
		dst = append(dst, `{"RecordId":`...)
		dst = appendString(dst, e.RecordID)
		return append(dst, '}')
	}
	dst = append(dst, `{"ErrorCode":`...)
	dst = appendString(dst, e.ErrorCode)
	dst = append(dst, `,"ErrorMessage":`...)
	dst = appendString(dst, e.ErrorMessage)
	return append(dst, '}')
}

// DecodePutRecordResponse decodes the answer to a PutRecord call.
func DecodePutRecordResponse(body []byte) (recordID string, encrypted bool, err error) {
	var out struct {
		RecordId  string
		Encrypted bool
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return "", false, fmt.Errorf("decode PutRecord answer: %w", err)
	}
	return out.RecordId, out.Encrypted, nil
}

// DecodePutRecordBatchResponse decodes the answer to a PutRecordBatch call. It
// does not check that the answer fits a request. The entries are appended to
// entries, which may be nil; their strings share one copy of body.
func DecodePutRecordBatchResponse(body []byte, entries []PutEntry) (PutResponse, error) {
	if resp, ok := scanResponse(body, entries); ok {
		return resp, nil
	}
	var out struct {
		FailedPutCount   int
		Encrypted        bool
		RequestResponses []struct{ RecordId, ErrorCode, ErrorMessage string }
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return PutResponse{}, fmt.Errorf("decode PutRecordBatch answer: %w", err)
	}
	resp := PutResponse{FailedPutCount: out.FailedPutCount, Encrypted: out.Encrypted, Entries: entries}
	for _, e := range out.RequestResponses {
		resp.Entries = append(resp.Entries, PutEntry{RecordID: e.RecordId, ErrorCode: e.ErrorCode, ErrorMessage: e.ErrorMessage})
	}
	return resp, nil
}

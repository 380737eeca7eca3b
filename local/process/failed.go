package process

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"
)

// Types of failures, which !{firehose:error-output-type} stands for.
const (
	// ProcessingFailed is a Lambda function's (developer guide, custom prefixes).
	ProcessingFailed = "processing-failed"
	// DecompressionFailed is that of Decompression and CloudWatchLogProcessing
	// (developer guide, troubleshoot decompression).
	DecompressionFailed = "decompression-failed"
	// MetadataExtractionFailed is that of partition keys. No page of AWS names
	// it; two users' streams were seen to have it in the keys of error objects.
	MetadataExtractionFailed = "metadata-extraction-failed"
)

// Failed is a record that goes to the error output.
type Failed struct {
	Record   Record // as the processor that failed got it
	Type     string // one of the constants above
	Code     string
	Message  string
	Attempts int       // invocations of the function; 1 for other processors
	Ended    time.Time // of the last attempt
	// LambdaARN is the function's where it is that which failed, or "".
	LambdaARN string
}

// fails says why a record fails for good.
func (r Record) fails(typ, code, message string) *Failed {
	return &Failed{Record: r, Type: typ, Code: code, Message: message, Attempts: 1, Ended: time.Now()}
}

// AppendLine appends the line of the error object that tells of f, with its
// line end. AWS was seen to write these members in this order in 2025 and 2026:
// times in milliseconds, lambdaARN only where a function failed. The developer
// guide documents lambdaArn, another order and only strings, and the streams of
// 2019 to 2022 had that spelling and order. That the lines of metadata
// extraction have this form too is an assumption.
func (f *Failed) AppendLine(dst []byte) []byte {
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(struct { // strings and numbers: it can't fail
		RawData                string `json:"rawData"`
		ErrorCode              string `json:"errorCode"`
		ErrorMessage           string `json:"errorMessage"`
		AttemptsMade           int    `json:"attemptsMade"`
		ArrivalTimestamp       int64  `json:"arrivalTimestamp"`
		AttemptEndingTimestamp int64  `json:"attemptEndingTimestamp"`
		LambdaARN              string `json:"lambdaARN,omitempty"`
	}{
		base64.StdEncoding.EncodeToString(f.Record.Raw), f.Code, f.Message, f.Attempts,
		f.Record.Arrival.UnixMilli(), f.Ended.UnixMilli(), f.LambdaARN,
	})
	return b.Bytes()
}

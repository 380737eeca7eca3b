package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// maxDecompressed bounds what a record may grow to. AWS's own bound is not
// known; CloudWatch Logs sends far less.
const maxDecompressed = 64 << 20

// Decompression and extraction fail by the same words: AWS was seen to use this
// code, as it stands, for what is no gzip, no JSON and no CloudWatch Logs.
const (
	codeDecompression    = "Decompression failed."
	messageDecompression = "Decompression failed because input data does not conform to cloudwatch log."
)

// decompress takes gzip from what must be JSON. AWS was seen to let JSON of any
// kind pass, but it takes such records only from CloudWatch Logs itself: anybody
// else's put is refused with InvalidSourceException (API reference), which
// is the caller's to do.
func decompress(_ context.Context, r Record) ([]Record, *Failed) {
	data, err := gunzip(r.Data, maxDecompressed)
	if err != nil || !json.Valid(data) {
		return nil, r.fails(DecompressionFailed, codeDecompression, messageDecompression)
	}
	r.Data = data
	return []Record{r}, nil
}

func gunzip(data []byte, limit int) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(zr, int64(limit)+1))
	if err == nil && len(out) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return out, err
}

// extract makes of an envelope of CloudWatch Logs its messages, each with a
// newline, in one record. AWS was seen to make an empty record of a control
// message, which has nothing in it.
func extract(_ context.Context, r Record) ([]Record, *Failed) {
	messages, ok := messages(r.Data)
	if !ok {
		return nil, r.fails(DecompressionFailed, codeDecompression, messageDecompression)
	}
	r.Data = messages
	return []Record{r}, nil
}

func messages(envelope []byte) (text []byte, ok bool) {
	var in struct {
		MessageType string
		LogEvents   []struct{ Message *string }
	}
	if json.Unmarshal(envelope, &in) != nil {
		return nil, false
	}
	switch {
	case in.MessageType == "CONTROL_MESSAGE":
		return []byte{}, true
	case in.MessageType != "DATA_MESSAGE" || in.LogEvents == nil:
		return nil, false
	}
	text = []byte{}
	for _, e := range in.LogEvents {
		if e.Message == nil {
			return nil, false
		}
		text = append(append(text, *e.Message...), '\n')
	}
	return text, true
}

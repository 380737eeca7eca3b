package awsapi

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hydrant-go/hydrant/wire"
)

const rpcCBOR = "rpc-v2-cbor"

// protocol is how bodies are written.
type protocol struct {
	contentType string
	decode      func([]byte, any) error
	encode      func(*Call, any) []byte
	failure     func(c *Call, status int, e *wire.Error) []byte
}

func jsonProtocol(s *Service) *protocol {
	return &protocol{s.JSON, DecodeJSON, encodeJSON, failureJSON}
}

var (
	cborProtocol  = &protocol{"application/cbor", cbor.Unmarshal, encodeCBOR, failureCBOR}
	queryProtocol = &protocol{"text/xml", decodeForm, encodeXML, failureXML}
)

func encodeJSON(_ *Call, v any) []byte {
	if v == nil {
		return []byte("{}")
	}
	return JSON(v)
}

// encodeCBOR sends no body where there is no output, as Smithy's rpc-v2-cbor says.
func encodeCBOR(_ *Call, v any) []byte {
	if v == nil {
		return nil
	}
	return mustCBOR(v)
}

// cbor takes a call in rpc-v2-cbor in.
func (c *Call) cbor(s *Service, name string) error {
	c.service, c.protocol, c.Name = s, cborProtocol, name
	c.w.Header().Set("Smithy-Protocol", rpcCBOR)
	if got := c.r.Header.Get("Smithy-Protocol"); got != rpcCBOR {
		return wire.Errorf(wire.CodeSerialization, "The header Smithy-Protocol must be %s, not %q.", rpcCBOR, got)
	}
	if _, ok := s.Operations[name]; !ok {
		return wire.Errorf(wire.CodeUnknownOperation, "%s has no operation %q", s.Name, name)
	}
	return nil
}

// failureJSON words an error by __type, which every SDK reads. AWS sends no
// other member with the errors that are used here.
func failureJSON(_ *Call, _ int, e *wire.Error) []byte {
	return JSON(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.Code, e.Message})
}

// JSON is for our own shapes, which hold nothing that JSON cannot.
func JSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("awsapi: an answer that cannot be JSON: " + err.Error())
	}
	return text
}

// Token makes a token of the place where a page has ended.
func Token(place any) string { return base64.RawURLEncoding.EncodeToString(JSON(place)) }

// ReadToken reads the place of a token into a pointer. Its error is for no client: each
// API has its own.
func ReadToken(token string, place any) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, place)
}

var cborMode = func() cbor.EncMode {
	mode, err := cbor.EncOptions{Time: cbor.TimeUnixDynamic, TimeTag: cbor.EncTagRequired}.EncMode()
	if err != nil {
		panic("awsapi: " + err.Error()) // the options are constants
	}
	return mode
}()

func mustCBOR(v any) []byte {
	b, err := cborMode.Marshal(v)
	if err != nil {
		panic("awsapi: an answer that cannot be CBOR: " + err.Error())
	}
	return b
}

func failureCBOR(_ *Call, _ int, e *wire.Error) []byte {
	return mustCBOR(map[string]string{"__type": e.Code, "message": e.Message})
}

// plain undoes a body's compression. SDKs compress large bodies where the API's
// model says that they may; the signature is over what was sent.
func (c *Call) plain(body []byte) ([]byte, error) {
	switch encoding := c.r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return body, nil
	case "gzip":
	default:
		return nil, wire.Errorf(wire.CodeSerialization, "Content-Encoding %q is not supported; use gzip or none", encoding)
	}
	if err := c.admit(MaxBodyBytes); err != nil { // a thousand times as many bytes may come out
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, wire.Errorf(wire.CodeSerialization, "the body is not gzip: %v", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, MaxBodyBytes+1))
	switch {
	case err != nil:
		return nil, wire.Errorf(wire.CodeSerialization, "the body is not gzip: %v", err)
	case len(text) > MaxBodyBytes:
		return nil, errTooLarge
	}
	return text, nil
}

// EpochSeconds is a time as APIs write it in JSON: a number, to the millisecond.
func EpochSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// Timestamp is a time in seconds since 1970: a bare number in JSON, with tag 1
// in CBOR.
type Timestamp time.Time

func (t Timestamp) MarshalJSON() ([]byte, error) { return json.Marshal(EpochSeconds(time.Time(t))) }

func (t Timestamp) MarshalCBOR() ([]byte, error) { return cborMode.Marshal(time.Time(t)) }

func (t *Timestamp) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	return t.set(seconds)
}

func (t *Timestamp) UnmarshalCBOR(data []byte) error {
	var tag cbor.Tag
	if err := cbor.Unmarshal(data, &tag); err != nil {
		return err
	}
	if tag.Number != 1 {
		return fmt.Errorf("a timestamp has tag 1, not %d", tag.Number)
	}
	switch n := tag.Content.(type) {
	case uint64:
		return t.set(float64(n))
	case int64:
		return t.set(float64(n))
	case float64:
		return t.set(n)
	}
	return fmt.Errorf("a timestamp is a number, not %T", tag.Content)
}

// set takes seconds from the year 1 to 9999; a float64 of them holds
// microseconds.
func (t *Timestamp) set(seconds float64) error {
	if !(seconds >= -62135596800 && seconds < 253402300800) {
		return fmt.Errorf("%v is not a time", seconds)
	}
	whole, part := math.Modf(seconds)
	*t = Timestamp(time.Unix(int64(whole), int64(math.Round(part*1e6))*1000).UTC())
	return nil
}

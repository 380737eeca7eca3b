package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hydrant-go/hydrant/wire"
)

// GetMetricStatistics, of CloudWatch (GraniteServiceVersion20100801)
//
// Kept: the two protocols that current clients speak, rpc-v2-cbor (the Go SDK)
// and awsJson1_0 (boto3); bodies compressed by gzip; the constraints: StartTime
// before EndTime, Period a multiple of 60 seconds, 1 to 5 statistics, at most
// 1,440 datapoints and 30 dimensions; the unit as a filter. The errors' codes are
// those of the API's model.
// Left out, and refused by name: every other operation, percentiles
// (ExtendedStatistics) and the old Query protocol.

const (
	cloudWatchService = "monitoring"
	cloudWatchTarget  = "GraniteServiceVersion20100801."
	cloudWatchPath    = "/service/GraniteServiceVersion20100801/operation/"
	rpcCBOR           = "rpc-v2-cbor"
	maxDatapoints     = 1440
	maxDimensions     = 30
)

// Codes of CloudWatch's errors.
const (
	codeInvalidValue       = "InvalidParameterValueException"
	codeInvalidCombination = "InvalidParameterCombinationException"
	codeMissingParameter   = "MissingRequiredParameterException"
)

var (
	cloudWatchJSON  = &protocol{cloudWatchService, "application/x-amz-json-1.0", failureJSON}
	cloudWatchCBOR  = &protocol{cloudWatchService, "application/cbor", failureCBOR}
	cloudWatchQuery = &protocol{cloudWatchService, "text/xml", failureXML}
)

func (s *server) serveCloudWatchJSON(c *call, name string) {
	c.protocol, c.name = cloudWatchJSON, name
	s.serveCloudWatch(c, jsonCodec)
}

func (s *server) serveCBOR(c *call, name string) {
	c.protocol, c.name = cloudWatchCBOR, name
	c.w.Header().Set("Smithy-Protocol", rpcCBOR)
	if got := c.r.Header.Get("Smithy-Protocol"); got != rpcCBOR {
		s.fail(c, wire.Errorf(wire.CodeSerialization, "The header Smithy-Protocol must be %s, not %q.", rpcCBOR, got))
		return
	}
	s.serveCloudWatch(c, cborCodec)
}

// refuseQuery answers a call of the Query protocol in its own form, XML, so that
// the client can read why.
func (s *server) refuseQuery(c *call) {
	c.protocol = cloudWatchQuery
	s.fail(c, notImplemented("The local Firehose speaks CloudWatch's protocols %s and JSON, not Query: use an SDK or AWS CLI of 2026 or later.", rpcCBOR))
}

// codec reads inputs and writes outputs in one protocol's format.
type codec struct {
	unmarshal func([]byte, any) error
	marshal   func(any) []byte
}

var (
	jsonCodec = codec{json.Unmarshal, mustJSON}
	cborCodec = codec{cbor.Unmarshal, mustCBOR}
)

var cborMode = func() cbor.EncMode {
	mode, err := cbor.EncOptions{Time: cbor.TimeUnixDynamic, TimeTag: cbor.EncTagRequired}.EncMode()
	if err != nil {
		panic("server: " + err.Error()) // the options are constants
	}
	return mode
}()

func mustCBOR(v any) []byte {
	b, err := cborMode.Marshal(v)
	if err != nil {
		panic("server: an answer that cannot be CBOR: " + err.Error())
	}
	return b
}

func failureCBOR(_ string, e *wire.Error) []byte {
	return mustCBOR(map[string]string{"__type": e.Code, "message": e.Message})
}

func failureXML(id string, e *wire.Error) []byte {
	type fault struct{ Type, Code, Message string }
	text, err := xml.Marshal(struct {
		XMLName   xml.Name `xml:"http://monitoring.amazonaws.com/doc/2010-08-01/ ErrorResponse"`
		Error     fault
		RequestId string
	}{Error: fault{"Sender", e.Code, e.Message}, RequestId: id})
	if err != nil {
		panic("server: an error that cannot be XML: " + err.Error())
	}
	return text
}

// queryError is the error for clients that still know it by its code in the
// Query protocol; boto3 raises its exceptions by that. They ask for it by the
// header x-amzn-query-mode.
func queryError(status int, code string) string {
	switch code {
	case codeMissingParameter:
		code = "MissingParameter"
	case codeInvalidValue, codeInvalidCombination:
		code = strings.TrimSuffix(code, "Exception")
	}
	if status >= http.StatusInternalServerError {
		return code + ";Receiver"
	}
	return code + ";Sender"
}

func (s *server) serveCloudWatch(c *call, format codec) {
	s.serve(c, func(s *server, ctx context.Context, caller Caller, body []byte) ([]byte, error) {
		if c.name != "GetMetricStatistics" || s.Metrics == nil {
			return nil, notImplemented("The local Firehose does not support CloudWatch's %s.", c.name)
		}
		body, err := plain(c.r.Header.Get("Content-Encoding"), body)
		if err != nil {
			return nil, err
		}
		var q metricQuery
		if err := format.unmarshal(body, &q); err != nil {
			return nil, wire.Errorf(wire.CodeSerialization, "the body is not valid for GetMetricStatistics: %v", err)
		}
		in, err := q.check()
		if err != nil {
			return nil, err
		}
		out, err := s.Metrics.GetMetricStatistics(ctx, caller, in)
		if err != nil {
			return nil, err
		}
		return format.marshal(q.answer(out)), nil
	})
}

// plain undoes a body's compression. SDKs compress large bodies where the API's
// model says that they may; the signature is over what was sent.
func plain(encoding string, body []byte) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
	default:
		return nil, wire.Errorf(wire.CodeSerialization, "Content-Encoding %q is not supported; use gzip or none", encoding)
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, wire.Errorf(wire.CodeSerialization, "the body is not gzip: %v", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxBodyBytes+1))
	switch {
	case err != nil:
		return nil, wire.Errorf(wire.CodeSerialization, "the body is not gzip: %v", err)
	case len(text) > maxBodyBytes:
		return nil, errTooLarge
	}
	return text, nil
}

// metricQuery is the input as it travels.
type metricQuery struct {
	Namespace, MetricName *string
	Dimensions            []struct{ Name, Value *string }
	StartTime, EndTime    *timestamp
	Period                *int32 // seconds
	Statistics            []string
	ExtendedStatistics    []string
	Unit                  string
}

// statistic is one figure of a datapoint.
type statistic struct {
	name  string
	value func(Datapoint) float64
}

var statistics = []statistic{
	{"SampleCount", func(d Datapoint) float64 { return d.SampleCount }},
	{"Average", func(d Datapoint) float64 { return d.Sum / d.SampleCount }},
	{"Sum", func(d Datapoint) float64 { return d.Sum }},
	{"Minimum", func(d Datapoint) float64 { return d.Minimum }},
	{"Maximum", func(d Datapoint) float64 { return d.Maximum }},
}

// check makes the backend's input, or tells what is wrong.
func (q *metricQuery) check() (*GetMetricStatisticsInput, error) {
	for _, m := range []struct {
		name    string
		missing bool
	}{
		{"Namespace", deref(q.Namespace, "") == ""},
		{"MetricName", deref(q.MetricName, "") == ""},
		{"StartTime", q.StartTime == nil},
		{"EndTime", q.EndTime == nil},
		{"Period", q.Period == nil},
	} {
		if m.missing {
			return nil, wire.Errorf(codeMissingParameter, "The parameter %s is required.", m.name)
		}
	}
	if err := q.checkStatistics(); err != nil {
		return nil, err
	}
	if err := q.checkTimes(); err != nil {
		return nil, err
	}
	dimensions, err := q.dimensions()
	if err != nil {
		return nil, err
	}
	return &GetMetricStatisticsInput{
		Namespace:  *q.Namespace,
		MetricName: *q.MetricName,
		Dimensions: dimensions,
		Start:      time.Time(*q.StartTime),
		End:        time.Time(*q.EndTime),
		Period:     q.period(),
		Statistics: q.Statistics,
	}, nil
}

func (q *metricQuery) period() time.Duration { return time.Duration(*q.Period) * time.Second }

func (q *metricQuery) checkStatistics() error {
	if len(q.ExtendedStatistics) > 0 {
		return wire.Errorf(codeInvalidValue, "The local Firehose does not support ExtendedStatistics yet.")
	}
	if n := len(q.Statistics); n < 1 || n > len(statistics) {
		return wire.Errorf(codeInvalidValue, "The parameter Statistics must hold 1 to %d statistics, not %d.", len(statistics), n)
	}
	for _, name := range q.Statistics {
		if !slices.ContainsFunc(statistics, func(s statistic) bool { return s.name == name }) {
			return wire.Errorf(codeInvalidValue, "The parameter Statistics holds %q, which is not one of SampleCount, Average, Sum, Minimum and Maximum.", name)
		}
	}
	return nil
}

func (q *metricQuery) checkTimes() error {
	start, end := time.Time(*q.StartTime), time.Time(*q.EndTime)
	switch {
	case *q.Period < 60 || *q.Period%60 != 0:
		return wire.Errorf(codeInvalidValue, "The parameter Period must be a multiple of 60 seconds, not %d.", *q.Period)
	case !start.Before(end):
		return wire.Errorf(codeInvalidValue, "The parameter StartTime must be less than the parameter EndTime.")
	}
	// Sub ends at 292 years, far more than can be asked for.
	if n := math.Ceil(end.Sub(start).Seconds() / q.period().Seconds()); n > maxDatapoints {
		return wire.Errorf(codeInvalidCombination, "You have requested up to %.0f datapoints, which exceeds the limit of %d. Increase Period, or shorten the time between StartTime and EndTime.", n, maxDatapoints)
	}
	return nil
}

func (q *metricQuery) dimensions() (map[string]string, error) {
	if len(q.Dimensions) > maxDimensions {
		return nil, wire.Errorf(codeInvalidValue, "The parameter Dimensions may hold at most %d, not %d.", maxDimensions, len(q.Dimensions))
	}
	m := map[string]string{}
	for i, d := range q.Dimensions {
		if deref(d.Name, "") == "" || deref(d.Value, "") == "" {
			return nil, wire.Errorf(codeInvalidValue, "The parameter Dimensions.member.%d must have a Name and a Value.", i+1)
		}
		if _, twice := m[*d.Name]; twice {
			return nil, wire.Errorf(codeInvalidValue, "The parameter Dimensions holds %s twice.", *d.Name)
		}
		m[*d.Name] = *d.Value
	}
	return m, nil
}

// answer is the output as it travels: of every datapoint the statistics that
// were asked for. A datapoint has at least one sample; one in another unit than
// was asked for is left out.
func (q *metricQuery) answer(out *GetMetricStatisticsOutput) any {
	points := []map[string]any{} // never null
	for _, d := range out.Datapoints {
		if d.SampleCount == 0 || q.Unit != "" && q.Unit != d.Unit {
			continue
		}
		point := map[string]any{"Timestamp": timestamp(d.Timestamp), "Unit": d.Unit}
		for _, s := range statistics {
			if slices.Contains(q.Statistics, s.name) {
				point[s.name] = s.value(d)
			}
		}
		points = append(points, point)
	}
	return map[string]any{"Label": out.Label, "Datapoints": points}
}

// timestamp is a time in seconds since 1970: a bare number in JSON, with tag 1
// in CBOR.
type timestamp time.Time

func (t timestamp) MarshalJSON() ([]byte, error) { return json.Marshal(epochSeconds(time.Time(t))) }

func (t timestamp) MarshalCBOR() ([]byte, error) { return cborMode.Marshal(time.Time(t)) }

func (t *timestamp) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	return t.set(seconds)
}

func (t *timestamp) UnmarshalCBOR(data []byte) error {
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
func (t *timestamp) set(seconds float64) error {
	if !(seconds >= -62135596800 && seconds < 253402300800) {
		return fmt.Errorf("%v is not a time", seconds)
	}
	whole, part := math.Modf(seconds)
	*t = timestamp(time.Unix(int64(whole), int64(math.Round(part*1e6))*1000).UTC())
	return nil
}

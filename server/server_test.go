package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/wire"
)

// memory is a backend that keeps everything it is given.
type memory struct {
	mu      sync.Mutex
	streams map[streamID]*DescribeDeliveryStreamOutput // guarded, as what follows
	tags    map[streamID][]Tag
	records map[streamID][]string
	fault   error // of the puts
}

type streamID struct {
	Caller
	name string
}

func newMemory() *memory {
	return &memory{streams: map[streamID]*DescribeDeliveryStreamOutput{}, tags: map[streamID][]Tag{}, records: map[streamID][]string{}}
}

func (m *memory) find(c Caller, name string) (*DescribeDeliveryStreamOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.streams[streamID{c, name}]; s != nil {
		return s, nil
	}
	return nil, wire.Errorf(wire.CodeResourceNotFound, "Firehose %s under account %s not found.", name, c.Account)
}

func (m *memory) CreateDeliveryStream(_ context.Context, c Caller, in *CreateDeliveryStreamInput) (*CreateDeliveryStreamOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	arn := fmt.Sprintf("arn:aws:firehose:%s:%s:deliverystream/%s", c.Region, c.Account, in.DeliveryStreamName)
	id := streamID{c, in.DeliveryStreamName}
	m.tags[id] = in.Tags
	m.streams[id] = &DescribeDeliveryStreamOutput{
		DeliveryStreamName: in.DeliveryStreamName, DeliveryStreamARN: arn, Status: Active, VersionID: "1",
		Created: time.UnixMilli(1_700_000_000_250), Destination: in.Destination, ThroughputHintInMBs: in.ThroughputHintInMBs,
	}
	if in.Encryption != nil {
		m.streams[id].Encryption = *in.Encryption
		m.streams[id].Encryption.Status = "ENABLED"
	}
	return &CreateDeliveryStreamOutput{DeliveryStreamARN: arn}, nil
}

func (m *memory) DeleteDeliveryStream(_ context.Context, c Caller, in *DeleteDeliveryStreamInput) error {
	_, err := m.find(c, in.DeliveryStreamName)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.streams, streamID{c, in.DeliveryStreamName})
	return err
}

func (m *memory) DescribeDeliveryStream(_ context.Context, c Caller, in *DescribeDeliveryStreamInput) (*DescribeDeliveryStreamOutput, error) {
	return m.find(c, in.DeliveryStreamName)
}

func (m *memory) ListDeliveryStreams(_ context.Context, c Caller, in *ListDeliveryStreamsInput) (*ListDeliveryStreamsOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, s := range slices.SortedFunc(maps.Keys(m.streams), func(a, b streamID) int { return cmp.Compare(a.name, b.name) }) {
		if s.Caller == c && s.name > in.After && (in.Type == "" || in.Type == "DirectPut") {
			names = append(names, s.name)
		}
	}
	n := min(in.Limit, len(names))
	return &ListDeliveryStreamsOutput{Names: names[:n], HasMore: n < len(names)}, nil
}

func (m *memory) UpdateDestination(_ context.Context, c Caller, in *UpdateDestinationInput) error {
	s, err := m.find(c, in.DeliveryStreamName)
	if err != nil {
		return err
	}
	if in.CurrentVersionID != s.VersionID {
		return wire.Errorf("ConcurrentModificationException", "Cannot update firehose: %s since the current version id: %s and specified version id: %s do not match", s.DeliveryStreamName, s.VersionID, in.CurrentVersionID)
	}
	if d, err := in.Apply(s.Destination); err != nil || reflect.DeepEqual(d, s.Destination) {
		return err
	} else {
		s.Destination, s.VersionID, s.LastUpdate = d, s.VersionID+"0", s.Created.Add(time.Minute)
	}
	return nil
}

func (m *memory) TagDeliveryStream(_ context.Context, c Caller, in *TagInput) error {
	id := streamID{c, in.DeliveryStreamName}
	for _, t := range in.Tags {
		m.tags[id] = append(slices.DeleteFunc(m.tags[id], func(have Tag) bool { return have.Key == t.Key }), t)
	}
	slices.SortFunc(m.tags[id], func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	return nil
}

func (m *memory) UntagDeliveryStream(_ context.Context, c Caller, in *UntagInput) error {
	id := streamID{c, in.DeliveryStreamName}
	m.tags[id] = slices.DeleteFunc(m.tags[id], func(t Tag) bool { return slices.Contains(in.Keys, t.Key) })
	return nil
}

func (m *memory) ListTagsForDeliveryStream(_ context.Context, c Caller, in *ListTagsInput) (*ListTagsOutput, error) {
	_, err := m.find(c, in.DeliveryStreamName)
	tags := slices.DeleteFunc(slices.Clone(m.tags[streamID{c, in.DeliveryStreamName}]), func(t Tag) bool { return t.Key <= in.After })
	n := min(in.Limit, len(tags))
	return &ListTagsOutput{Tags: tags[:n], HasMore: n < len(tags)}, err
}

func (m *memory) StartDeliveryStreamEncryption(_ context.Context, c Caller, in *StartEncryptionInput) error {
	s, err := m.find(c, in.DeliveryStreamName)
	if err == nil {
		s.Encryption = in.Encryption
		s.Encryption.Status = "ENABLING"
	}
	return err
}

func (m *memory) StopDeliveryStreamEncryption(_ context.Context, c Caller, in *StopEncryptionInput) error {
	s, err := m.find(c, in.DeliveryStreamName)
	if err == nil {
		s.Encryption = Encryption{Status: "DISABLING"}
	}
	return err
}

func (m *memory) PutRecord(ctx context.Context, c Caller, stream string, data []byte) (string, bool, error) {
	out, err := m.PutRecordBatch(ctx, c, stream, [][]byte{data})
	if err != nil {
		return "", false, err
	}
	return out.Entries[0].RecordID, false, nil
}

func (m *memory) PutRecordBatch(_ context.Context, c Caller, stream string, records [][]byte) (wire.PutResponse, error) {
	if _, err := m.find(c, stream); err != nil || m.fault != nil {
		return wire.PutResponse{}, cmp.Or(m.fault, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out wire.PutResponse
	id := streamID{c, stream}
	for _, data := range records {
		m.records[id] = append(m.records[id], string(data))
		out.Entries = append(out.Entries, wire.PutEntry{RecordID: fmt.Sprintf("id%d", len(m.records[id]))})
	}
	return out, nil
}

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func quiet(cfg Config) http.Handler {
	cfg.Logger = slog.New(slog.DiscardHandler)
	return New(cfg)
}

// open is a server without checks over a memory with a stream s.
func open(t *testing.T) (http.Handler, *memory) {
	m := newMemory()
	h := quiet(Config{Backend: m, NoAuth: true})
	if status, answer := post(h, "CreateDeliveryStream", creation("s", "")); status != 200 {
		t.Fatalf("create: %d %s", status, answer)
	}
	return h, m
}

func creation(name, more string) string {
	return fmt.Sprintf(`{"DeliveryStreamName":%q,"ExtendedS3DestinationConfiguration":{"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::b"%s}}`, name, more)
}

func request(op, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", wire.TargetPrefix+op)
	r.Header.Set("Content-Type", wire.ContentType)
	return r
}

func do(h http.Handler, r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func post(h http.Handler, op, body string) (int, string) { return do(h, request(op, body)) }

// failure words an error's body as code and message.
func failure(t *testing.T, answer string) string {
	t.Helper()
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(answer), &e); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return e.Type + ": " + e.Message
}

func TestEveryKnownOperationIsAnswered(t *testing.T) {
	h, _ := open(t)
	known := []string{
		"CreateDeliveryStream", "DeleteDeliveryStream", "DescribeDeliveryStream", "ListDeliveryStreams", "ListTagsForDeliveryStream", "PutRecord", "PutRecordBatch",
		"StartDeliveryStreamEncryption", "StopDeliveryStreamEncryption", "TagDeliveryStream", "UntagDeliveryStream", "UpdateDestination",
	}
	for _, op := range known {
		if status, answer := post(h, op, `{"DeliveryStreamName":"nope"}`); strings.Contains(answer, wire.CodeUnknownOperation) || status >= 500 {
			t.Errorf("%s: %d %s", op, status, answer)
		}
	}
	if n := len(Service(newMemory()).Operations); n != len(known) {
		t.Errorf("%d operations, want %d", n, len(known))
	}
}

func TestAnswersHaveHeaders(t *testing.T) {
	h, _ := open(t)
	seen := map[string]bool{}
	for _, r := range []*http.Request{
		request("PutRecord", `{"DeliveryStreamName":"s","Record":{"Data":""}}`), request("PutRecord", "{"), request("Nonsense", "{}"),
		httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRequest(http.MethodGet, "/x", nil),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		id := w.Header().Get("x-amzn-RequestId")
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) || seen[id] {
			t.Errorf("%s %s: request id %q", r.Method, r.URL, id)
		}
		seen[id] = true
		if w.Header().Get("x-amz-id-2") == "" {
			t.Errorf("%s %s: no x-amz-id-2", r.Method, r.URL)
		}
		if got := w.Header().Get("Content-Type"); r.Method == http.MethodPost && got != "application/x-amz-json-1.1" {
			t.Errorf("Content-Type is %q", got)
		}
	}
}

// The answers of the put calls to good and bad input stand in package local's
// tests, through the SDK; this is what the backend sees of them.
func TestPutsReachTheBackend(t *testing.T) {
	h, m := open(t)
	if status, answer := post(h, "PutRecord", `{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}`); status != 200 || answer != `{"RecordId":"id1","Encrypted":false}` {
		t.Errorf("PutRecord: %d %s", status, answer)
	}
	if status, answer := post(h, "PutRecordBatch", `{"DeliveryStreamName":"s","Records":[{"Data":""},{"Data":"Ygo="}]}`); status != 200 ||
		answer != `{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":"id2"},{"RecordId":"id3"}]}` {
		t.Errorf("PutRecordBatch: %d %s", status, answer)
	}
	for op, path := range map[string]string{"PutRecord": "record", "PutRecordBatch": "records"} {
		want := "ValidationException: 1 validation error detected: Value null at '" + path + "' failed to satisfy constraint: Member must not be null"
		if _, answer := post(h, op, `{"DeliveryStreamName":"s"}`); failure(t, answer) != want {
			t.Errorf("%s: %s\nwant %s", op, answer, want)
		}
	}
	for _, body := range []string{"", "null", "[]", "{", `{"DeliveryStreamName":"s","Record":{"Data":"%"}}`} {
		if _, answer := post(h, "PutRecord", body); !strings.Contains(answer, wire.CodeSerialization) && !strings.Contains(answer, wire.CodeValidation) {
			t.Errorf("PutRecord %q: %s", body, answer)
		}
	}
	want := []string{"a", "", "b\n"}
	if diff := gocmp.Diff(want, m.records[streamID{Caller{Account: "000000000000", Region: "us-east-1"}, "s"}]); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestBackendErrors(t *testing.T) {
	for _, tt := range []struct {
		fault  error
		status int
		want   string
	}{
		{&wire.Error{Status: 503, Code: "ServiceUnavailableException", Message: "Slow down."}, 503, `{"__type":"ServiceUnavailableException","message":"Slow down."}`},
		{fmt.Errorf("wrapped: %w", wire.Errorf("X", "y")), 400, `{"__type":"X","message":"y"}`},
		{&wire.Error{Code: "X", Message: "no status"}, 400, `{"__type":"X","message":"no status"}`},
		{errors.New("the disk is on fire"), 500, `{"__type":"InternalFailure","message":`},
	} {
		h, m := open(t)
		m.fault = tt.fault
		for op, body := range map[string]string{
			"PutRecord":      `{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}`,
			"PutRecordBatch": `{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="}]}`,
		} {
			status, answer := post(h, op, body)
			if status != tt.status || !strings.HasPrefix(answer, tt.want) || strings.Contains(answer, "fire") {
				t.Errorf("%s after %v: %d %s\nwant %d %s", op, tt.fault, status, answer, tt.status, tt.want)
			}
		}
	}
}

// A client that sees an orderly end may take it for a keep-alive connection that
// was idle too long; a reset is what a broken host looks like.
func TestReset(t *testing.T) {
	h, m := open(t)
	m.fault = fmt.Errorf("fault: %w", ErrReset)
	body := `{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}`
	send := func(client *http.Client, url string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = request("PutRecord", body).Header
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}

	plain := httptest.NewServer(h)
	defer plain.Close()
	if err := send(plain.Client(), plain.URL); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("over TCP: %v", err)
	}
	secure := httptest.NewTLSServer(h)
	defer secure.Close()
	if err := send(secure.Client(), secure.URL); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("over TLS: %v", err)
	}
	two := httptest.NewUnstartedServer(h)
	two.EnableHTTP2 = true
	two.StartTLS()
	defer two.Close()
	if err := send(two.Client(), two.URL); err == nil || !strings.Contains(err.Error(), "stream error") {
		t.Errorf("over HTTP/2: %v", err)
	}

	l := memnet.Listen()
	srv := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	defer serving.Wait()
	defer srv.Close()
	inMemory := &http.Client{Transport: &http.Transport{DialContext: l.DialContext}}
	if err := send(inMemory, "http://memory"); !errors.Is(err, io.EOF) {
		t.Errorf("over memory: %v", err)
	}
}

func TestLog(t *testing.T) {
	var log bytes.Buffer
	m := newMemory()
	h := New(Config{Backend: m, NoAuth: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	put := `{"DeliveryStreamName":"s","Record":{"Data":"c2VjcmV0"}}`
	post(h, "CreateDeliveryStream", creation("s", ""))
	post(h, "Nonsense", put)
	m.fault = errors.New("the disk is on fire")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	do(h, request("PutRecord", put).WithContext(gone))
	if log.Len() > 0 {
		t.Errorf("what the client did is logged by default: %s", &log)
	}
	post(h, "PutRecord", put)
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "on fire") || !strings.Contains(got, "operation=PutRecord") || strings.Contains(got, "c2VjcmV0") {
		t.Errorf("the backend's failure: %s", got)
	}
}

func TestList(t *testing.T) {
	h, _ := open(t)
	for i := range 24 {
		if status, answer := post(h, "CreateDeliveryStream", creation(fmt.Sprintf("n%02d", i), "")); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	var pages []string
	body := `{}`
	for {
		status, answer := post(h, "ListDeliveryStreams", body)
		var out struct {
			DeliveryStreamNames    []string
			HasMoreDeliveryStreams bool
		}
		if err := json.Unmarshal([]byte(answer), &out); err != nil || status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		names := out.DeliveryStreamNames
		pages = append(pages, fmt.Sprintf("%s to %s: %d", names[0], names[len(names)-1], len(names)))
		if !out.HasMoreDeliveryStreams {
			break
		}
		body = fmt.Sprintf(`{"ExclusiveStartDeliveryStreamName":%q}`, names[len(names)-1])
	}
	if diff := gocmp.Diff([]string{"n00 to n09: 10", "n10 to n19: 10", "n20 to s: 5"}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for body, want := range map[string]string{
		`{"Limit":1}`: `{"DeliveryStreamNames":["n00"],"HasMoreDeliveryStreams":true}`,
		`{"DeliveryStreamType":"KinesisStreamAsSource"}`: `{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}`,
		`{"ExclusiveStartDeliveryStreamName":"n22.5"}`:   `{"DeliveryStreamNames":["n23","s"],"HasMoreDeliveryStreams":false}`,
		`{"Limit":0}`: `Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1`,
		`{"Limit":10001,"DeliveryStreamType":"x"}`:   `2 validation errors detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000; Value 'x' at 'deliveryStreamType' failed to satisfy constraint: Member must satisfy enum value set: [`,
		`{"ExclusiveStartDeliveryStreamName":"a b"}`: `Value 'a b' at 'exclusiveStartDeliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+`,
		`{"Limit":"1"}`: `SerializationException`,
		`{"Limit":null,"ExclusiveStartDeliveryStreamName":"s"}`: `{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}`,
	} {
		if _, answer := post(h, "ListDeliveryStreams", body); !strings.Contains(answer, want) {
			t.Errorf("%s:\n%s\nwant\n%s", body, answer, want)
		}
	}
}

func TestDelete(t *testing.T) {
	h, m := open(t)
	if _, answer := post(h, "DeleteDeliveryStream", `{"DeliveryStreamName":""}`); failure(t, answer) != "ValidationException: 2 validation errors detected: "+
		"Value '' at 'deliveryStreamName' failed to satisfy constraint: Member must have length greater than or equal to 1; "+
		"Value '' at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+" {
		t.Error(answer)
	}
	if status, answer := post(h, "DeleteDeliveryStream", `{"DeliveryStreamName":"s","AllowForceDelete":true}`); status != 200 || answer != "{}" || len(m.streams) != 0 {
		t.Errorf("%d %s, %d streams remain", status, answer, len(m.streams))
	}
	if status, answer := post(h, "DeleteDeliveryStream", `{"DeliveryStreamName":"s"}`); status != 400 || failure(t, answer) != "ResourceNotFoundException: Firehose s under account 000000000000 not found." {
		t.Errorf("%d %s", status, answer)
	}
}

// serveLoopback serves h on a real socket, for clients that are other programs.
func serveLoopback(t *testing.T, h http.Handler) (url string) {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBilledBytes(t *testing.T) {
	// Rounding per record up to 5,120 bytes: 3 KB bill as 5, 12 as 15, 42 as 45.
	for size, want := range map[int]int64{
		0: 0, 1: 5120, 5119: 5120, 5120: 5120, 5121: 10240,
		3 << 10: 5 << 10, 12 << 10: 15 << 10, 42 << 10: 45 << 10,
		MaxRecordBytes: MaxRecordBytes, // 200 steps exactly: a full record wastes nothing
	} {
		if got := BilledBytes(size); got != want {
			t.Errorf("BilledBytes(%d) = %d, want %d", size, got, want)
		}
	}
}

func TestCheckStreamName(t *testing.T) {
	for name, want := range map[string]string{
		"logs_1.a-B":            "",
		strings.Repeat("a", 64): "",
		"":                      "empty",
		strings.Repeat("a", 65): "65 characters",
		"a b":                   "only letters",
		"a/../b":                "only letters",
		"a\n":                   "only letters",
	} {
		err := CheckStreamName(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("CheckStreamName(%q) = %v, want %q", name, err, want)
		}
	}
}

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		code   string
		status int
		class  Class
		stored bool
	}{
		{"", 0, Retry, true}, // no answer at all
		{"ServiceUnavailableException", 503, Retry, false},
		{"ServiceUnavailableException", 500, Retry, false}, // seen from AWS
		{"ServiceUnavailableException", 200, Retry, false}, // one record of a batch
		{"InternalFailure", 200, Retry, true},
		{"InternalFailure", 500, Retry, true},
		{"ThrottlingException", 400, Retry, false},
		{"", 502, Retry, true},
		{"", 429, Retry, false},
		{"ExpiredTokenException", 400, Renew, false},
		{"ValidationException", 400, Poison, false},
		{"InvalidArgumentException", 400, Poison, false},
		{"", 413, Poison, false},
		{"ResourceNotFoundException", 400, Refuse, false},
		{"AccessDeniedException", 400, Refuse, false},
		{"InvalidKMSResourceException", 400, Refuse, false},
		{"", 403, Refuse, false},
		{"", 200, Retry, true}, // an answer that could not be read
		{"", 400, Unknown, true},
		{"SomethingNewException", 200, Unknown, true},
		{"SomethingNewException", 400, Unknown, true},
		{"SomethingNewException", 503, Retry, true},
	} {
		class, stored := Classify(tt.code, "", tt.status)
		if class != tt.class || stored != tt.stored {
			t.Errorf("Classify(%q, %d) = %v, %v, want %v, %v", tt.code, tt.status, class, stored, tt.class, tt.stored)
		}
	}
}

func TestClassifyByMessage(t *testing.T) {
	for _, tt := range []struct {
		code, message string
		want          Class
	}{
		{CodeInvalidSignature, "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z", Retry},
		{CodeInvalidSignature, "The request signature we calculated does not match", Refuse},
		{CodeValidation, "1 validation error detected: Value 'a b' at 'deliveryStreamName' failed", Refuse},
		{CodeValidation, "1 validation error detected: Value null at 'records.2.member.data' failed", Poison},
		{CodeInvalidArgument, "Records size exceeds 4 MB limit", Poison},
		{CodeInvalidArgument, "This operation is not permitted on KinesisStreamAsSource delivery stream type.", Refuse},
	} {
		if got, _ := Classify(tt.code, tt.message, 400); got != tt.want {
			t.Errorf("Classify(%s, %q) = %v, want %v", tt.code, tt.message, got, tt.want)
		}
	}
}

func TestValidatePut(t *testing.T) {
	name := func(s string) *string { return &s }
	records := func(n, size int) [][]byte {
		list := make([][]byte, n)
		for i := range list {
			list[i] = make([]byte, size)
		}
		return list
	}
	for _, tt := range []struct {
		what   string
		req    PutRequest
		single bool
		want   string // "" is accepted
	}{
		{"500 records", PutRequest{name("s"), records(500, 1)}, false, ""},
		{"an empty record", PutRequest{name("s"), records(1, 0)}, true, ""},
		{"a full record", PutRequest{name("s"), records(1, 1_024_000)}, true, ""},
		{"4,194,304 bytes", PutRequest{name("s"), append(records(4, 1_024_000), make([]byte, 98_304))}, false, ""},
		{
			"501 records",
			PutRequest{name("s"), records(501, 1)},
			false,
			"ValidationException: 1 validation error detected: Value '[501 records]' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500 (HTTP 400)",
		},
		{"no records", PutRequest{name("s"), [][]byte{}}, false, "at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"records missing", PutRequest{name("s"), nil}, false, "Value null at 'records' failed to satisfy constraint: Member must not be null"},
		{"record missing", PutRequest{name("s"), nil}, true, "Value null at 'record' failed"},
		{
			"1,024,001 bytes",
			PutRequest{name("s"), records(1, 1_024_001)},
			true,
			"Value 'java.nio.HeapByteBuffer[pos=0 lim=1024001 cap=1024001]' at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000",
		},
		{"two long ones", PutRequest{name("s"), records(2, 1_024_001)}, false, "2 validation errors detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1024001 cap=1024001]' at 'records.1.member.data'"},
		{"data missing", PutRequest{name("s"), [][]byte{{1}, nil}}, false, "Value null at 'records.2.member.data'"},
		{"4,194,305 bytes", PutRequest{name("s"), append(records(4, 1_024_000), make([]byte, 98_305))}, false, "InvalidArgumentException: Records size exceeds 4 MB limit"},
		{"no name", PutRequest{nil, records(1, 1)}, false, "Value null at 'deliveryStreamName'"},
		{"empty name", PutRequest{name(""), records(1, 1)}, false, "length greater than or equal to 1"},
		{"bad name", PutRequest{name("a b"), records(1, 1)}, false, "Value 'a b' at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
		{"long name", PutRequest{name(strings.Repeat("n", 65)), records(1, 1)}, false, "length less than or equal to 64"},
	} {
		err := ValidatePut(tt.req, tt.single)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: ValidatePut = %v, want %q", tt.what, err, tt.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, body := range []string{
		"", "{", "[]", `"x"`, `{"Records":{}}`, `{"Records":[1]}`, `{"DeliveryStreamName":7}`,
		`{"Records":[{"Data":"Y"}]}`, `{"Records":[{"Data":"YQ"}]}`, `{"Records":[{"Data":"Y-8="}]}`,
		`{"Records":[{"Data":"YQ==\n"}]}`, `{"Records":[{"Data":"YR=="}]}`, `{"Records":[{"Data":7}]}`,
	} {
		_, err := DecodePutRecordBatch([]byte(body))
		var werr *Error
		if !errors.As(err, &werr) || werr.Code != CodeSerialization || werr.Status != 400 {
			t.Errorf("DecodePutRecordBatch(%q): %v, want a SerializationException", body, err)
		}
	}
}

func TestDecodeTellsMissingFromEmpty(t *testing.T) {
	req, err := DecodePutRecordBatch([]byte(`{"Records":[{"Data":""},{},null,{"Data":null}],"More":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(PutRequest{Records: [][]byte{{}, nil, nil, nil}}, req); diff != "" {
		t.Error(diff)
	}
}

func TestResponseForm(t *testing.T) {
	got := AppendPutRecordBatchResponse(nil, PutResponse{FailedPutCount: 1, Entries: []PutEntry{
		{RecordID: "r"}, {ErrorCode: CodeServiceUnavailable, ErrorMessage: SlowDown},
	}})
	const want = `{"FailedPutCount":1,"Encrypted":false,"RequestResponses":[{"RecordId":"r"},{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Ids and texts come from wherever a backend has them.
	for _, id := range []string{`"`, `\`, "\n", "\x00", "\x7f", "é", "<&>", strings.Repeat("x", 64) + `"`} {
		got := AppendPutRecordBatchResponse(nil, PutResponse{Entries: []PutEntry{{RecordID: id}}})
		if resp, err := DecodePutRecordBatchResponse(got, nil); err != nil || resp.Entries[0].RecordID != id || !json.Valid(got) {
			t.Errorf("record id %q: %s: %v", id, got, err)
		}
	}
	id, enc, err := DecodePutRecordResponse(AppendPutRecordResponse(nil, "id", true))
	if id != "id" || !enc || err != nil {
		t.Errorf("PutRecord answer: %q, %v, %v", id, enc, err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("s", []byte("a"), []byte(""))
	f.Add("é\x00\xff", []byte{0, 255}, bytes.Repeat([]byte("x"), 5000))
	f.Fuzz(func(t *testing.T, stream string, a, b []byte) {
		records := [][]byte{append([]byte{}, a...), append([]byte{}, b...)}
		req, err := DecodePutRecordBatch(AppendPutRecordBatch(nil, stream, records))
		if err != nil {
			t.Fatal(err)
		}
		// What is not UTF-8 cannot be a JSON string; no valid name holds it.
		if want := strings.ToValidUTF8(stream, "\ufffd"); CheckStreamName(stream) == nil && *req.Stream != want {
			t.Fatalf("stream %q, want %q", *req.Stream, want)
		}
		if diff := cmp.Diff(records, req.Records); diff != "" {
			t.Fatal(diff)
		}
		one, err := DecodePutRecord(AppendPutRecord(nil, stream, records[0]))
		if err != nil || !bytes.Equal(one.Records[0], a) {
			t.Fatalf("PutRecord: %v, %q, want %q", err, one.Records, a)
		}
	})
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(`{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="}]}`))
	f.Add([]byte(`{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := DecodePutRecordBatch(body)
		var werr *Error
		if err != nil && !errors.As(err, &werr) {
			t.Fatalf("%T %v is not an *Error", err, err)
		}
		if err != nil || ValidatePut(req, false) != nil {
			return
		}
		// Every accepted request survives a round trip.
		again, err := DecodePutRecordBatch(AppendPutRecordBatch(nil, *req.Stream, req.Records))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(req, again); diff != "" {
			t.Fatal(diff)
		}
		_, _ = DecodePutRecord(body)
	})
}

func FuzzResponse(f *testing.F) {
	f.Add("id", "Code", "text", []byte(`{"FailedPutCount":0,"RequestResponses":[]}`))
	f.Fuzz(func(t *testing.T, id, code, message string, body []byte) {
		_, _ = DecodePutRecordBatchResponse(body, nil)
		_, _, _ = DecodePutRecordResponse(body)
		utf := func(s string) string { return strings.ToValidUTF8(s, "") }
		want := PutResponse{FailedPutCount: 1, Encrypted: true, Entries: []PutEntry{{RecordID: utf(id)}}}
		if utf(code) != "" {
			want.Entries = append(want.Entries, PutEntry{ErrorCode: utf(code), ErrorMessage: utf(message)})
		}
		got, err := DecodePutRecordBatchResponse(AppendPutRecordBatchResponse(nil, want), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The forms are those that the SDK's parser takes; the order of precedence too.
func TestDecodeError(t *testing.T) {
	for _, tt := range []struct{ header, body, code, message string }{
		{"", `{"__type":"ResourceNotFoundException","message":"m"}`, "ResourceNotFoundException", "m"},
		{"", `{"__type":"com.amazonaws.firehose#ResourceNotFoundException","Message":"m"}`, "ResourceNotFoundException", "m"},
		{"A:http://internal.amazon.com/coral/", `{"__type":"B"}`, "A", ""},
		{"ns#A:http://x#y", ``, "A", ""},
		{"", `{"code":"C","message":"m"}`, "C", "m"},
		{"", `{"__type":"InvalidKMSResourceException","code":"KMS.Disabled","message":"m"}`, "InvalidKMSResourceException", "m"},
		{"", `{"code":42}`, "", ""},
		{"", `{}`, "", ""},
		{"", "<html>\n <b>no</b>\xff</html>", "", "<html> <b>no</b></html>"},
		{"", strings.Repeat("x", 300), "", strings.Repeat("x", 200) + "…"},
	} {
		want := &Error{Status: 418, Code: tt.code, Message: tt.message}
		if diff := cmp.Diff(want, DecodeError(418, tt.header, []byte(tt.body))); diff != "" {
			t.Errorf("%q %s:\n%s", tt.header, tt.body, diff)
		}
	}
}

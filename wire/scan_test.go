package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// slow decodes as the fallback does.
func slow(body string) (PutResponse, error) {
	var out struct {
		FailedPutCount   int
		Encrypted        bool
		RequestResponses []struct{ RecordId, ErrorCode, ErrorMessage string }
	}
	err := json.Unmarshal([]byte(body), &out)
	resp := PutResponse{FailedPutCount: out.FailedPutCount, Encrypted: out.Encrypted}
	for _, e := range out.RequestResponses {
		resp.Entries = append(resp.Entries, PutEntry{RecordID: e.RecordId, ErrorCode: e.ErrorCode, ErrorMessage: e.ErrorMessage})
	}
	return resp, err
}

func TestScanResponse(t *testing.T) {
	for _, tt := range []struct {
		body string
		fast bool
	}{
		{`{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"}]}`, true},
		{` { "RequestResponses" : [ { "ErrorMessage" : "m" , "ErrorCode" : "c" } ] , "Encrypted" : true , "FailedPutCount" : 12 } ` + "\r\n\t", true},
		{`{"FailedPutCount":500}`, true},
		{`{"RequestResponses":[]}`, true},
		{`{"RequestResponses":[{}]}`, true},
		{`{}`, true},
		// What only the slow way reads, or nobody.
		{`{"FailedPutCount":0,"RequestResponses":[{"RecordId":"a\"b"}]}`, false},
		{`{"FailedPutCount":0,"RequestResponses":[{"RecordId":"a\\"}]}`, false},
		{`{"FailedPutCount":1,"RequestResponses":[{"ErrorMessage":"a\n"}]}`, false},
		{`{"FailedPutCount":0,"RequestResponses":[{"RecordId":null}]}`, false},
		{`{"FailedPutCount":0,"FailedPutCount":1}`, false},
		{`{"RequestResponses":[{"RecordId":"a"}],"RequestResponses":[{"RecordId":"b"}]}`, false},
		{`{"Encrypted":true,"Encrypted":false}`, false},
		{`{"failedPutCount":3}`, false},
		{`{"FailedPutCount":-1}`, false},
		{`{"FailedPutCount":1.5}`, false},
		{`{"FailedPutCount":01}`, false},
		{`{"FailedPutCount":}`, false},
		{`{"FailedPutCount":99999999999}`, false},
		{`{"Encrypted":null}`, false},
		{`{"More":[1,{"x":2}],"FailedPutCount":0}`, false},
		{`{"RequestResponses":[{"RecordId":"a"},]}`, false},
		{`{"RequestResponses":[{"RecordId":"a"}`, false},
		{`{"RequestResponses":[{"RecordId":"a`, false},
		{`{"FailedPutCount":0,}`, false},
		{`{"FailedPutCount":0} x`, false},
		{`[]`, false},
		{``, false},
	} {
		resp, fast := scanResponse([]byte(tt.body), nil)
		if fast != tt.fast {
			t.Errorf("scanResponse(%s): %v, want %v", tt.body, fast, tt.fast)
		}
		want, wantErr := slow(tt.body)
		if fast {
			if diff := cmp.Diff(want, resp); diff != "" || wantErr != nil {
				t.Errorf("scanResponse(%s): %v\n%s", tt.body, wantErr, diff)
			}
		}
		got, err := DecodePutRecordBatchResponse([]byte(tt.body), nil)
		if (err == nil) != (wantErr == nil) || err == nil && !cmp.Equal(want, got) {
			t.Errorf("decode %s: %+v, %v, want %+v, %v", tt.body, got, err, want, wantErr)
		}
	}
}

// What the service sends takes the fast way, which allocates nothing for an
// entry.
func TestScanResponseAllocates(t *testing.T) {
	resp := PutResponse{}
	for range MaxBatchRecords {
		resp.Entries = append(resp.Entries, PutEntry{RecordID: strings.Repeat("x", 224)})
	}
	body := AppendPutRecordBatchResponse(nil, resp)
	if n := testing.AllocsPerRun(10, func() {
		if _, err := DecodePutRecordBatchResponse(body, nil); err != nil {
			t.Error(err)
		}
	}); n > 10 {
		t.Errorf("%v allocations for %d entries", n, len(resp.Entries))
	}
}

func FuzzScanResponse(f *testing.F) {
	f.Add(`{"FailedPutCount":1,"Encrypted":false,"RequestResponses":[{"RecordId":"a"},{"ErrorCode":"c","ErrorMessage":"m"}]}`)
	f.Add(` { "RequestResponses" : [ {} , { "RecordId" : "" } ] } `)
	f.Fuzz(func(t *testing.T, body string) {
		got, fast := scanResponse([]byte(body), nil)
		if !fast {
			return
		}
		// Bytes that JSON forbids in a string are let through as they are.
		if strings.ToValidUTF8(body, "") != body || strings.ContainsFunc(body, func(r rune) bool { return r < ' ' }) {
			return
		}
		want, err := slow(body)
		if err != nil {
			t.Fatalf("the scan took what is not an answer: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkDecodeResponse(b *testing.B) {
	resp := PutResponse{}
	for range MaxBatchRecords {
		resp.Entries = append(resp.Entries, PutEntry{RecordID: strings.Repeat("x", 224)})
	}
	body := AppendPutRecordBatchResponse(nil, resp)
	for _, way := range []struct {
		name   string
		decode func()
	}{
		{"scan", func() { _, _ = DecodePutRecordBatchResponse(body, nil) }},
		{"json", func() { _, _ = slow(string(body)) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				way.decode()
			}
		})
	}
}

func BenchmarkAppendPutRecordBatch(b *testing.B) {
	for _, size := range []int{200, 1 << 10, MaxRecordBytes} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			records := make([][]byte, min(MaxBatchRecords, MaxBatchBytes/size))
			for i := range records {
				records[i] = make([]byte, size)
			}
			var body []byte
			b.SetBytes(int64(len(records) * size))
			b.ReportAllocs()
			for b.Loop() {
				body = AppendPutRecordBatch(body[:0], "stream", records)
			}
		})
	}
}

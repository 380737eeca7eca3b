package wire

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"testing"
)

// benchBodies are bodies of PutRecordBatch, compact as most SDKs write them, with
// boto3's spaces, and with PHP's escapes.
func benchBodies() map[string][]byte {
	bodies := map[string][]byte{}
	for _, shape := range []struct {
		name          string
		records, size int
	}{{"500x200", 500, 200}, {"4x1024000", 4, 1_024_000}, {"1x1024", 1, 1024}} {
		records := make([][]byte, shape.records)
		for i := range records {
			records[i] = make([]byte, shape.size)
			for j := range records[i] {
				records[i][j] = byte(rand.Uint32())
			}
		}
		body := AppendPutRecordBatch(nil, "stream", records)
		bodies[shape.name] = body
		bodies[shape.name+"/boto3"] = []byte(strings.NewReplacer(`":`, `": `, `,`, `, `).Replace(string(body)))
		bodies[shape.name+"/php"] = bytes.ReplaceAll(body, []byte(`/`), []byte(`\/`))
	}
	return bodies
}

// BenchmarkDecode copies the body anew for every call, since decoding uses it
// up; "copy" is that alone, and "sha256" is what checking the signature costs.
func BenchmarkDecode(b *testing.B) {
	for name, body := range benchBodies() {
		work := bytes.Clone(body)
		for _, way := range []struct {
			name string
			run  func() error
		}{
			{"decode", func() error { _, err := DecodePutRecordBatch(work); return err }},
			{"copy", func() error { return nil }},
			{"sha256", func() error { sha256.Sum256(work); return nil }},
		} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					copy(work, body)
					if err := way.run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecodePutRecord(b *testing.B) {
	body := AppendPutRecord(nil, "stream", make([]byte, 1024))
	work := bytes.Clone(body)
	b.ReportAllocs()
	for b.Loop() {
		copy(work, body)
		if _, err := DecodePutRecord(work); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	resp := PutResponse{}
	for range MaxBatchRecords {
		resp.Entries = append(resp.Entries, PutEntry{RecordID: strings.Repeat("x", 224)})
	}
	b.Run("batch", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			AppendPutRecordBatchResponse(nil, resp)
		}
	})
	room := AppendPutRecordBatchResponse(nil, resp)
	b.Run("batch/room", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			AppendPutRecordBatchResponse(room[:0], resp)
		}
	})
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			AppendPutRecordResponse(nil, resp.Entries[0].RecordID, false)
		}
	})
}

func BenchmarkValidatePut(b *testing.B) {
	name := "stream"
	req := PutRequest{Stream: &name, Records: make([][]byte, 500)}
	for i := range req.Records {
		req.Records[i] = make([]byte, 200)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := ValidatePut(req, false); err != nil {
			b.Fatal(err)
		}
	}
}

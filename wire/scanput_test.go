package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkAgree holds what the scan makes of body, as either call, against what
// encoding/json makes of it, and tells whether the scan took it as a batch.
func checkAgree(t *testing.T, body string) (fast bool) {
	t.Helper()
	for _, single := range []bool{true, false} {
		name, decode, slow := "DecodePutRecordBatch", DecodePutRecordBatch, slowPutRecordBatch
		if single {
			name, decode, slow = "DecodePutRecord", DecodePutRecord, slowPutRecord
		}
		want, wantErr := slow([]byte(body))
		got, err := decode([]byte(body))
		if kind(err) != kind(wantErr) {
			t.Fatalf("%s(%q): %v, the slow way: %v", name, body, err, wantErr)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s(%q): -the slow way +the scan\n%s", name, body, diff)
		}
		after := []byte(body)
		if _, fast, _ = scanPut(after, single); !fast && string(after) != body {
			t.Fatalf("%s(%q): the scan left %q behind", name, body, after)
		}
	}
	return fast
}

func kind(err error) string {
	werr, ok := errors.AsType[*Error](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(werr.Status, werr.Code)
}

// putBodies says of each body whether the scan takes it, as a batch.
var putBodies = []struct {
	body string
	fast bool
}{
	// What SDKs send.
	{`{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{"Data":"YWI="},{"Data":"YWJj"},{"Data":""}]}`, true},
	{`{"DeliveryStreamName": "a-B_9.c", "Records": [{"Data": "YQ=="}, {"Data": "YWI="}]}`, true}, // boto3
	{`{"Records":[{"Data":"YQ=="}],"DeliveryStreamName":"s"}`, true},
	{"\t{\r\n \"Records\" : [ { \"Data\" : \"YQ==\" } , { \"Data\" : \"\" } ] , \"DeliveryStreamName\" : \"s\" } \n", true},
	{`{"Records":[{"Data":"` + strings.Repeat("AAEC", 100) + `"}]}`, true},
	{`{"Records":[{"Data":"YQ=="}]}`, true},                                 // a name missing
	{`{"DeliveryStreamName":"s"}`, true},                                    // records missing
	{`{}`, true},                                                            //
	{`{"Records":[{"Data":"\/\/\/\/"},{"Data":"A\/\/A"}]}`, true},           // PHP
	{`{"Records":[{"Data":"\u002B\u002BAA"},{"Data":"A\/\u002B="}]}`, true}, // .NET
	{`{"Records":[{"Data":"YQ=="},{"Data":"A\/\u002BA` + strings.Repeat(`A\/A\u002B`, 40) + `"}]}`, true},

	// Names: duplicates, case, escapes, unknown ones.
	{`{"DeliveryStreamName":"s","DeliveryStreamName":"t","Records":[{"Data":"YQ=="}]}`, false},
	{`{"Records":[{"Data":"YQ=="}],"Records":[{"Data":"Yg=="},{"Data":"Yw=="}]}`, false},
	{`{"Records":[{"Data":"YQ==","Data":"Yg=="}]}`, false},
	{`{"Records":[{"Data":"!","Data":"Yg=="}]}`, false},
	{`{"Records":[{"Data":"YQ=="}],"records":null}`, false},
	{`{"deliverystreamname":"s","RECORDS":[{"data":"YQ=="}]}`, false},
	{`{"Record\u0073":[{"Data":"YQ=="}]}`, false},
	{`{"Records":[{"D\u0061ta":"YQ=="}]}`, false},
	{`{"\u0052ecords\"":1,"Records":[{"Data":"YQ=="}]}`, false},
	{`{"DeliveryStreamName":"\u0073","Records":[{"Data":"YQ=="}]}`, false},
	{`{"DeliveryStreamName":"a\/b","Records":[{"Data":"YQ=="}]}`, false},
	{`{"DeliveryStreamName":"é","Records":[{"Data":"YQ=="}]}`, false},
	{"{\"DeliveryStreamName\":\"\xff\",\"Records\":[{\"Data\":\"YQ==\"}]}", false},
	{"{\"DeliveryStreamName\":\"a\nb\",\"Records\":[{\"Data\":\"YQ==\"}]}", false},
	{`{"DeliveryStreamName":"","Records":[{"Data":"YQ=="}]}`, false},
	{`{"More":{"Data":[1,2e5,"x"]},"Records":[{"Data":"YQ=="}]}`, false},
	{`{"Records":[{"Data":"YQ==","More":1}]}`, false},
	{`{"Record":{"Data":"YQ=="}}`, false},
	{`{"Record":{"Data":"YQ=="},"Record":{"Data":"Yg=="}}`, false},
	{`{"Record":{"Data":"!"},"Record":{"Data":"Yg=="}}`, false},
	{`{"Record":{"Data":"YQ=="},"Records":[{"Data":"YQ=="}]}`, false},
	{`{"":1}`, false},

	// Null, and values of a wrong type.
	{`null`, false},
	{`{"DeliveryStreamName":null,"Records":[{"Data":"YQ=="}]}`, false},
	{`{"DeliveryStreamName":"s","Records":null}`, false},
	{`{"Records":[null]}`, false},
	{`{"Records":[{"Data":null}]}`, false},
	{`{"Records":[{}]}`, false},
	{`{"Records":[]}`, false},
	{`{"Record":{}}`, false},
	{`{"Record":null}`, false},
	{`{"Record":[]}`, false},
	{`{"Records":{"Data":"YQ=="}}`, false},
	{`{"Records":[["Data","YQ=="]]}`, false},
	{`{"Records":["YQ=="]}`, false},
	{`{"Records":[{"Data":7}]}`, false},
	{`{"Records":[{"Data":-1.5e999999}]}`, false},
	{`{"Records":[{"Data":["YQ=="]}]}`, false},
	{`{"Records":[{"Data":{"Data":"YQ=="}}]}`, false},
	{`{"Records":true}`, false},
	{`{"DeliveryStreamName":1` + strings.Repeat("0", 4000) + `}`, false},
	{`{"DeliveryStreamName":["s"]}`, false},
	{`[]`, false},
	{`"x"`, false},
	{`7`, false},

	// Not JSON.
	{``, false},
	{` `, false},
	{"\xef\xbb\xbf" + `{"Records":[{"Data":"YQ=="}]}`, false},
	{`{"Records":[{"Data":"YQ=="}]}x`, false},
	{`{"Records":[{"Data":"YQ=="}]}{}`, false},
	{`{"Records":[{"Data":"YQ=="}]},`, false},
	{"{\"Records\":[{\"Data\":\"YQ==\"}]}\x00", false},
	{"{\"Records\":[{\"Data\":\"YQ==\"}]}\v", false},
	{"{\"Records\":\u00a0[{\"Data\":\"YQ==\"}]}", false},
	{`{"Records":[{"Data":"YQ=="},]}`, false},
	{`{"Records":[{"Data":"YQ==",}]}`, false},
	{`{"Records":[{"Data":"YQ=="}],}`, false},
	{`{"Records":[{"Data":"YQ=="} {"Data":"YQ=="}]}`, false},
	{`{"Records":[,{"Data":"YQ=="}]}`, false},
	{`{"Records":[{"Data""YQ=="}]}`, false},
	{`{"Records":[{'Data':'YQ=='}]}`, false},
	{`{"Records":[{Data:"YQ=="}]}`, false},
	{`{,"Records":[{"Data":"YQ=="}]}`, false},
	{`{"Records":[{"Data":"YQ=="}]`, false},
	{`{"Records":[{"Data":"YQ==\"}]}`, false},
	{`{"Records":[{"Data":"YQ==\\"}]}`, false},
	{`{"Records":[{"Data":"YQ==\`, false},
	{`{"Records":[{"Data":"}]}`, false},
	{strings.Repeat(`{"Records":[`, 5000), false},
	{strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000), false},
	{`{"Records":` + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + `}`, false},

	// Escapes other than the two that are known.
	{`{"Records":[{"Data":"\u0059Q=="}]}`, false},
	{`{"Records":[{"Data":"YQ\u003d\u003D"}]}`, false},
	{`{"Records":[{"Data":"\u002b\u002bAA"}]}`, false},
	{`{"Records":[{"Data":"\/AAA\u002f"}]}`, false},
	{`{"Records":[{"Data":"\\/AAA"}]}`, false},
	{`{"Records":[{"Data":"\\u002BAAA"}]}`, false},
	{`{"Records":[{"Data":"\\\/AAA"}]}`, false},
	{`{"Records":[{"Data":"\/AA\"}]}`, false},
	{`{"Records":[{"Data":"A\nAA"}]}`, false},
	{`{"Records":[{"Data":"\u002"}]}`, false},
	{`{"Records":[{"Data":"\uD800"}]}`, false},
	{`{"Records":[{"Data":"\xAAA"}]}`, false},

	// Base64 that is none: the scan refuses by itself.
	{`{"Records":[{"Data":"Y"}]}`, true},
	{`{"Records":[{"Data":"YQ"}]}`, true},
	{`{"Records":[{"Data":"YQ="}]}`, true},
	{`{"Records":[{"Data":"YQ==="}]}`, true},
	{`{"Records":[{"Data":"YQ==YQ=="}]}`, true},
	{`{"Records":[{"Data":"="}]}`, true},
	{`{"Records":[{"Data":"===="}]}`, true},
	{`{"Records":[{"Data":"Y==="}]}`, true},
	{`{"Records":[{"Data":"YR=="}]}`, true}, // bits after the end
	{`{"Records":[{"Data":"YWJ="}]}`, true},
	{`{"Records":[{"Data":"YWJj="}]}`, true},
	{`{"Records":[{"Data":"Y-_8"}]}`, true}, // the alphabet of URLs
	{`{"Records":[{"Data":"Y Q="}]}`, true},
	{`{"Records":[{"Data":"YQ== "}]}`, true},
	{`{"Records":[{"Data":"YWJjé"}]}`, true},
	{"{\"Records\":[{\"Data\":\"YWJj\xff\"}]}", true},
	{"{\"Records\":[{\"Data\":\"YW\nJj\"}]}", true},
	{"{\"Records\":[{\"Data\":\"YWJj\n\n\n\n\"}]}", true},
	{"{\"Records\":[{\"Data\":\"\r\r\r\r\"}]}", true},
	{"{\"Records\":[{\"Data\":\"YQ==\r\n\r\n\"}]}", true},
	{"{\"Records\":[{\"Data\":\"YWJj\x00AAA\"}]}", true},
	{`{"Records":[{"Data":"YQ=="},{"Data":"` + strings.Repeat("AAEC", 100) + `!AAA"}]}`, true},
	{`{"Records":[{"Data":"YQ=="},{"Data":"` + strings.Repeat("AAEC", 100) + "\n\n\n\n" + `"}]}`, true},
	{`{"Records":[{"Data":"\/"}]}`, true},
}

func TestScanPut(t *testing.T) {
	for _, tt := range putBodies {
		if fast := checkAgree(t, tt.body); fast != tt.fast {
			t.Errorf("scanPut(%.200q): %v, want %v", tt.body, fast, tt.fast)
		}
		single := strings.NewReplacer(`"Records":[`, `"Record":`, `]}`, `}`).Replace(tt.body)
		checkAgree(t, single)
	}
}

// Every body cut short at every byte, and with every byte replaced.
func TestScanPutBroken(t *testing.T) {
	for _, body := range []string{
		`{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{"Data":"A\/\u002BA"}]}`,
		`{"Record": {"Data": "YWJjZGVm"}, "DeliveryStreamName": "s"}`,
	} {
		for i := range len(body) {
			checkAgree(t, body[:i])
			checkAgree(t, body[:i]+body[i+1:])
			for c := range 256 {
				checkAgree(t, body[:i]+string([]byte{byte(c)})+body[i+1:])
			}
		}
	}
}

func TestScanPutKeepsRecordsApart(t *testing.T) {
	var want [][]byte
	for i := range 700 { // more than a call may hold, and of unlike lengths
		want = append(want, bytes.Repeat([]byte{byte(i)}, i*7%300))
	}
	req, fast, err := scanPut(AppendPutRecordBatch(nil, "s", want), false)
	if !fast || err != nil {
		t.Fatalf("scanPut: %v, %v", fast, err)
	}
	for i := range req.Records {
		_ = append(req.Records[i], strings.Repeat("over the end", 50)...)
	}
	if diff := cmp.Diff(want, req.Records); diff != "" {
		t.Error(diff)
	}
}

func TestDecodePutAllocates(t *testing.T) {
	records := make([][]byte, MaxBatchRecords)
	for i := range records {
		records[i] = make([]byte, 200)
	}
	one, batch := AppendPutRecord(nil, "s", records[0]), AppendPutRecordBatch(nil, "s", records)
	boto3 := []byte(strings.NewReplacer(`":`, `": `, `,`, `, `).Replace(string(batch)))
	for _, tt := range []struct {
		body   []byte
		decode func([]byte) (PutRequest, error)
	}{{one, DecodePutRecord}, {batch, DecodePutRecordBatch}, {boto3, DecodePutRecordBatch}} {
		work := bytes.Clone(tt.body)
		if n := testing.AllocsPerRun(10, func() {
			copy(work, tt.body)
			if _, err := tt.decode(work); err != nil {
				t.Error(err)
			}
		}); n > 4 {
			t.Errorf("%.60s…: %v allocations", tt.body, n)
		}
	}
}

// decodeInPlace takes what the standard library's strict decoder takes, less
// line ends, and gives the same: every byte at every place of texts that are all
// vector, all scalar, and both.
func TestDecodeInPlace(t *testing.T) {
	std := base64.StdEncoding.Strict()
	check := func(text []byte) {
		t.Helper()
		want, err := std.DecodeString(string(text))
		valid := err == nil && !bytes.ContainsAny(text, "\r\n")
		got, ok := decodeInPlace(bytes.Clone(text))
		if ok != valid || ok && !bytes.Equal(got, want) {
			t.Fatalf("decodeInPlace(%q) = %q, %v, want %q, %v", text, got, ok, want, valid)
		}
	}
	for _, size := range []int{0, 1, 2, 3, 4, 5, 6, 7, 20, 31, 32, 33, 34, 35, 36, 37, 57, 58, 59, 60, 61, 100, 130} {
		data := bytes.Repeat([]byte{0xfb, 0xe0, 0x17, 0x5c}, 40)[:size]
		text := []byte(base64.StdEncoding.EncodeToString(data))
		check(text)
		for i, was := range text {
			for c := range 256 {
				text[i] = byte(c)
				check(text)
			}
			text[i] = was
			check(text[:i])
		}
		for n := range 9 {
			check(append(bytes.Clone(text), strings.Repeat("\n", n)...))
			check(append([]byte(strings.Repeat("\r", n)), text...))
			check(append(bytes.Clone(text), strings.Repeat("=", n)...))
		}
	}
}

func FuzzScanPut(f *testing.F) {
	for _, tt := range putBodies {
		if len(tt.body) < 1000 {
			f.Add(tt.body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) { checkAgree(t, body) })
}

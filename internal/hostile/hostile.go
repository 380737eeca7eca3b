// Package hostile is what clients do to a local Firehose that no good one would: the
// tests and soak have them do it, and look whether it goes on serving.
package hostile

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Attack is what is done on one connection.
type Attack struct {
	Name string
	// Send is sent at once, and then Drip again and again, a byte a second.
	Send, Drip string
	HangUp     bool // when that is sent
	Deaf       bool // nothing is read
	// Want is how the answer begins; empty if there need not be one.
	Want string
}

// Run does it, until the connection is closed, by the server or somebody else, and
// returns how the answer begins.
func (a *Attack) Run(conn net.Conn) (answer string) {
	var sending sync.WaitGroup
	sending.Go(func() {
		_, err := io.WriteString(conn, a.Send)
		if a.HangUp {
			_ = conn.Close()
		}
		for i := 0; err == nil && a.Drip != ""; i++ {
			time.Sleep(time.Second)
			_, err = io.WriteString(conn, a.Drip[i%len(a.Drip):][:1])
		}
	})
	var front bytes.Buffer
	if !a.Deaf {
		_, _ = io.CopyN(&front, conn, 1<<10)
		_, _ = io.Copy(io.Discard, conn)
	}
	sending.Wait()
	return front.String()
}

// Signer signs what gets past the signatures.
type Signer struct{ AccessKey, SecretKey string }

// Bucket has to be there, with an object Key of more than 16 MiB.
const (
	Bucket = "hostile"
	Key    = "large"
)

const (
	mib       = 1 << 20
	firehose  = "Firehose_20150804."
	logs      = "Logs_20140328."
	metrics   = "GraniteServiceVersion20100801."
	cborPath  = "/service/GraniteServiceVersion20100801/operation/"
	unsigned  = "UNSIGNED-PAYLOAD"
	streaming = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// head is a request's up to its body. body is what is signed, framing the headers that
// say how the body comes.
func (s Signer) head(service, method, path, body, framing string, headers ...string) string {
	r, err := http.NewRequest(method, "http://hostile"+path, nil)
	if err != nil {
		panic("hostile: " + err.Error()) // our own constants
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	hash := body
	if body != unsigned && body != streaming {
		sum := sha256.Sum256([]byte(body))
		hash = hex.EncodeToString(sum[:])
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	creds := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
	if err := signer.SignHTTP(context.Background(), creds, r, hash, service, "us-east-1", time.Now()); err != nil {
		panic("hostile: " + err.Error())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: hostile\r\n", method, path)
	_ = r.Header.Write(&b) // a Builder takes everything
	return b.String() + framing + "\r\n\r\n"
}

// whole is a request in one piece.
func (s Signer) whole(service, method, path, body string, headers ...string) string {
	return s.head(service, method, path, body, fmt.Sprintf("Content-Length: %d", len(body)), headers...) + body
}

func length(n int) string { return fmt.Sprintf("Content-Length: %d", n) }

// Attacks is all that we know of, each with a signature of now.
func (s Signer) Attacks() []Attack {
	return slices.Concat(s.slow(), s.malformed(), s.huge(), s.objects())
}

// slow clients hold a connection for nothing.
func (s Signer) slow() []Attack {
	put := `{"DeliveryStreamName":"hostile","Records":[{"Data":"YQ=="}]}`
	head := func(framing string) string {
		return s.head("firehose", "POST", "/", put, framing, "X-Amz-Target: "+firehose+"PutRecordBatch")
	}
	return []Attack{
		{Name: "nothing"},
		{Name: "half a header", Send: "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-", Want: "HTTP/1.1 400 "},
		{Name: "a header byte by byte", Send: "POST / HTTP/1.1\r\n", Drip: "X: y\r\n"},
		{Name: "a body that never begins", Send: head(length(len(put))), Want: "HTTP/1.1 408 "},
		{Name: "a body of 8 MiB that never begins", Send: head(length(8 * mib)), Want: "HTTP/1.1 408 "},
		{Name: "a body that never begins after 100 Continue", Send: head(length(len(put)) + "\r\nExpect: 100-continue"), Want: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "},
		{Name: "a body byte by byte", Send: head(length(8 * mib)), Drip: put, Want: "HTTP/1.1 408 "},
		{Name: "a large body that stops", Send: head(length(8*mib)) + strings.Repeat(" ", mib), Want: "HTTP/1.1 408 "},
		{Name: "a chunked body byte by byte", Send: head("Transfer-Encoding: chunked"), Drip: "1\r\n{\r\n", Want: "HTTP/1.1 408 "},
		{Name: "a chunked body without an end", Send: head("Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n", len(put), put), Want: "HTTP/1.1 408 "},
		{Name: "a body that is cut off", Send: head(length(len(put))) + put[:20], HangUp: true},
		{Name: "a chunked body that is cut off", Send: head("Transfer-Encoding: chunked") + "ff\r\n{", HangUp: true},
		{Name: "a large body that is cut off", Send: head(length(8*mib)) + strings.Repeat(" ", mib), HangUp: true},
		{Name: "a call whose answer nobody reads", Send: s.whole("firehose", "POST", "/", "{}", "X-Amz-Target: "+firehose+"ListDeliveryStreams"), HangUp: true},
		{Name: "a thousand calls whose answers nobody reads", Deaf: true, Send: strings.Repeat("GET /_hydrant/state HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000), Drip: "GET"},
		{Name: "a large object that nobody reads", Deaf: true, Send: s.whole("s3", "GET", "/"+Bucket+"/"+Key, ""), Drip: "GET"},
		{Name: "an upload that never begins", Send: s.head("s3", "PUT", "/"+Bucket+"/x", unsigned, length(mib)), Want: "HTTP/1.1 400 "},
		{Name: "an upload byte by byte", Send: s.head("s3", "PUT", "/"+Bucket+"/x", unsigned, length(mib)), Drip: "x", Want: "HTTP/1.1 400 "},
		{Name: "an upload that is cut off", Send: s.head("s3", "PUT", "/"+Bucket+"/x", unsigned, length(mib)) + "x", HangUp: true},
		{Name: "keys to delete that never end", Send: s.head("s3", "POST", "/"+Bucket+"?delete=", unsigned, length(mib)) + "<Delete>", Drip: "<Object>", Want: "HTTP/1.1 400 "},
	}
}

// malformed is no HTTP, no call or no body.
func (s Signer) malformed() []Attack {
	call := func(target, body string) string {
		service := "firehose"
		if strings.HasPrefix(target, logs) {
			service = "logs"
		}
		return s.whole(service, "POST", "/", body, "X-Amz-Target: "+target, "Connection: close")
	}
	put := `{"DeliveryStreamName":"hostile","Records":[{"Data":"YQ=="}]}`
	return []Attack{
		{Name: "garbage", Send: "\x00\x01\xfe\xff\r\n\r\n\x80\x81", Want: "HTTP/1.1 400 "},
		{Name: "HTTP/0.9", Send: "GET /\r\n", Want: "HTTP/1.1 400 "},
		{Name: "HTTP/3.0", Send: "GET / HTTP/3.0\r\n\r\n", Want: "HTTP/1.1 505 "},
		{Name: "a TLS handshake", Send: "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("x\r\n", 60), Want: "HTTP/1.1 400 "},
		{Name: "HTTP/2", Send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", Want: "HTTP/1.1 40"},
		{Name: "SSH", Send: "SSH-2.0-OpenSSH_9.9\r\n", Want: "HTTP/1.1 400 "},
		{Name: "CONNECT", Send: "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nConnection: close\r\n\r\n", Want: "HTTP/1.1 40"},
		{Name: "two lengths", Send: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", Want: "HTTP/1.1 400 "},
		{Name: "a negative length", Send: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", Want: "HTTP/1.1 400 "},
		{Name: "a length beyond all numbers", Send: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", Want: "HTTP/1.1 400 "},
		{Name: "an encoding that nobody knows", Send: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xyz\r\n\r\n", Want: "HTTP/1.1 501 "},
		{Name: "a chunk of no length", Send: s.head("firehose", "POST", "/", put, "Transfer-Encoding: chunked", "X-Amz-Target: "+firehose+"PutRecordBatch") + "xyz\r\n", Want: "HTTP/1.1 408 "},
		{Name: "a body longer than its length", Send: s.head("firehose", "POST", "/", put, length(10), "X-Amz-Target: "+firehose+"PutRecordBatch") + put + "\r\n\r\n", Want: "HTTP/1.1 400 "},
		{Name: "NUL in a header", Send: "GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", Want: "HTTP/1.1 400 "},
		{Name: "NUL in a path", Send: "GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n", Want: "HTTP/1.1 400 "},
		{Name: "bad UTF-8", Send: call(firehose+"PutRecord", "{\"DeliveryStreamName\":\"\xff\xfe\",\"Record\":{\"Data\":\"YQ==\"}}"), Want: "HTTP/1.1 400 "},
		{Name: "NUL in JSON", Send: call(firehose+"PutRecord", "{\"DeliveryStreamName\":\"a\x00b\"}"), Want: "HTTP/1.1 400 "},
		{Name: "NUL in a name", Send: call(firehose+"PutRecord", `{"DeliveryStreamName":"a\u0000b","Record":{"Data":"YQ=="}}`), Want: "HTTP/1.1 400 "},
		{Name: "half of JSON", Send: call(firehose+"PutRecordBatch", put[:len(put)-2]), Want: "HTTP/1.1 400 "},
		{Name: "half of a surrogate", Send: call(logs+"CreateLogGroup", `{"logGroupName":"\ud800"}`), Want: "HTTP/1.1 400 "},
	}
}

// huge is more than anybody has room for.
func (s Signer) huge() []Attack {
	call := func(target, body string, headers ...string) string {
		service := "firehose"
		switch {
		case strings.HasPrefix(target, logs):
			service = "logs"
		case strings.HasPrefix(target, metrics):
			service = "monitoring"
		}
		return s.whole(service, "POST", "/", body, append(headers, "X-Amz-Target: "+target, "Connection: close")...)
	}
	cbor := func(body string, headers ...string) string {
		return s.whole("monitoring", "POST", cborPath+"PutMetricData", body, append(headers, "Smithy-Protocol: rpc-v2-cbor", "Connection: close")...)
	}
	query := func(body string) string {
		return s.whole("monitoring", "POST", "/", body, "Content-Type: application/x-www-form-urlencoded", "Connection: close")
	}
	batch := firehose + "PutRecordBatch"
	return []Attack{
		{Name: "1 MB of headers", Send: "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-Header: value\r\n", mib/17) + "\r\n", Want: "HTTP/1.1 431 "},
		{Name: "a header of 1 MB", Send: "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", mib) + "\r\n\r\n", Want: "HTTP/1.1 431 "},
		{Name: "a path of 1 MB", Send: "GET /" + strings.Repeat("x", mib) + " HTTP/1.1\r\nHost: h\r\n\r\n", Want: "HTTP/1.1 431 "},
		{Name: "a signature of 60 KB", Send: "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Amz-Target: " + batch + "\r\nAuthorization: AWS4-HMAC-SHA256 " + strings.Repeat("a=b,", 15_000) + "\r\n\r\n", Want: "HTTP/1.1 400 "},
		{Name: "8 MiB and a byte", Send: call(batch, strings.Repeat(" ", 8*mib+1)), Want: "HTTP/1.1 413 "},
		{Name: "1 TB", Send: s.head("firehose", "POST", "/", "", length(1_000_000_000_000), "X-Amz-Target: "+batch), Want: "HTTP/1.1 413 "},
		{Name: "a chunk of 16 MiB", Send: s.head("firehose", "POST", "/", "", "Transfer-Encoding: chunked", "X-Amz-Target: "+batch) + "1000000\r\n" + strings.Repeat(" ", 16*mib) + "\r\n0\r\n\r\n", Want: "HTTP/1.1 413 "},
		{Name: "a chunk of 16 EiB", Send: s.head("firehose", "POST", "/", "", "Transfer-Encoding: chunked", "X-Amz-Target: "+batch) + "ffffffffffffffff\r\n" + strings.Repeat(" ", 9*mib), Want: "HTTP/1.1 413 "},
		{Name: "lists in lists in a put", Send: call(batch, `{"Records":`+strings.Repeat("[", mib)), Want: "HTTP/1.1 400 "},
		{Name: "objects in objects in a put", Send: call(batch, strings.Repeat(`{"a":`, mib)), Want: "HTTP/1.1 400 "},
		{Name: "a million records", Send: call(batch, `{"DeliveryStreamName":"hostile","Records":[{"Data":""}`+strings.Repeat(`,{"Data":""}`, 600_000)+`]}`), Want: "HTTP/1.1 400 "},
		{Name: "a million empty records", Send: call(batch, `{"DeliveryStreamName":"hostile","Records":[{}`+strings.Repeat(`,{}`, mib)+`]}`), Want: "HTTP/1.1 400 "},
		{Name: "lists in lists in a control call", Send: call(firehose+"CreateDeliveryStream", `{"Tags":`+strings.Repeat("[", mib)), Want: "HTTP/1.1 400 "},
		{Name: "a million tags", Send: call(firehose+"TagDeliveryStream", `{"Tags":[{}`+strings.Repeat(`,{}`, mib)+`]}`), Want: "HTTP/1.1 400 "},
		{Name: "100,000 tags", Send: call(firehose+"TagDeliveryStream", `{"Tags":[{}`+strings.Repeat(`,{}`, 100_000)+`]}`), Want: "HTTP/1.1 400 "},
		{Name: "a million members", Send: call(firehose+"ListDeliveryStreams", `{"a":0`+strings.Repeat(`,"a":0`, mib)+`}`), Want: "HTTP/1.1 400 "},
		{Name: "a million metrics", Send: call(metrics+"PutMetricData", `{"MetricData":[{}`+strings.Repeat(`,{}`, mib)+`]}`), Want: "HTTP/1.1 400 "},
		{Name: "a bomb of metrics", Send: call(metrics+"PutMetricData", packed(`{"MetricData":[{}`, `,{}`, 2*mib), "Content-Encoding: gzip"), Want: "HTTP/1.1 400 "},
		{Name: "a bomb", Send: call(metrics+"PutMetricData", packed("", "\x00\x00\x00\x00", 16*mib), "Content-Encoding: gzip"), Want: "HTTP/1.1 413 "},
		{Name: "a bomb of logs", Send: call(logs+"PutLogEvents", packed("", "[", 16*mib), "Content-Encoding: gzip"), Want: "HTTP/1.1 413 "},
		{Name: "a bomb in CBOR", Send: cbor(packed("\xa1\x6aMetricData", "\x81", 16*mib), "Content-Encoding: gzip"), Want: "HTTP/1.1 413 "},
		{Name: "lists in lists in CBOR", Send: cbor("\xa1\x6aMetricData" + strings.Repeat("\x81", mib)), Want: "HTTP/1.1 400 "},
		{Name: "tags of tags in CBOR", Send: cbor("\xa1\x6aMetricData" + strings.Repeat("\xc1", mib)), Want: "HTTP/1.1 400 "},
		{Name: "a list of 2^63 in CBOR", Send: cbor("\xa1\x6aMetricData\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"), Want: "HTTP/1.1 400 "},
		{Name: "a text of 2^40 in CBOR", Send: cbor("\xa1\x6aMetricData\x7b\x00\x00\x01\x00\x00\x00\x00\x00"), Want: "HTTP/1.1 400 "},
		{Name: "a million metrics in CBOR", Send: cbor("\xa1\x6aMetricData\x9a\x00\x10\x00\x00" + strings.Repeat("\xa0", mib)), Want: "HTTP/1.1 400 "},
		{Name: "100,000 parameters", Send: query("Action=PutMetricData&Version=2010-08-01" + strings.Repeat("&MetricData.member.1.Values.member.1=1", 100_000)), Want: "HTTP/1.1 4"},
		{Name: "8 MiB of parameters", Send: query("Action=PutMetricData&Version=2010-08-01" + strings.Repeat("&", 8*mib-50)), Want: "HTTP/1.1 400 "},
		{Name: "parameters in parameters", Send: query("Action=PutMetricData&Version=2010-08-01" + strings.Repeat("&a"+strings.Repeat(".1", 31), 100_000)), Want: "HTTP/1.1 4"},
		{Name: "a name of a million parts", Send: query("Action=PutMetricData&Version=2010-08-01&a" + strings.Repeat(".1", mib)), Want: "HTTP/1.1 400 "},
		{Name: "a pattern of 1 MB", Send: call(logs+"FilterLogEvents", `{"logGroupName":"g","filterPattern":"`+strings.Repeat("{$.a=1||", mib/8)+`"}`), Want: "HTTP/1.1 400 "},
		{Name: "a fault plan of 1 GB", Send: "PUT /_hydrant/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n" + strings.Repeat(" ", 2*mib), Want: "HTTP/1.1 400 "},
	}
}

// objects are attacks on S3.
func (s Signer) objects() []Attack {
	post := func(query, body string) string {
		return s.whole("s3", "POST", "/"+Bucket+query, body, "Connection: close")
	}
	chunks := func(body string) string {
		return s.head("s3", "PUT", "/"+Bucket+"/x", streaming, length(len(body)), "X-Amz-Decoded-Content-Length: 5", "Content-Encoding: aws-chunked", "Connection: close") + body
	}
	laughs := `<!DOCTYPE lolz [<!ENTITY a "lol">` + strings.Repeat(`<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">`, 100) + `]>`
	return []Attack{
		{Name: "an XML bomb", Send: post("?delete=", laughs+`<Delete><Object><Key>&b;</Key></Object></Delete>`), Want: "HTTP/1.1 400 "},
		{Name: "elements in elements", Send: post("?delete=", "<Delete>"+strings.Repeat("<Object>", mib/2)), Want: "HTTP/1.1 400 "},
		{Name: "a million objects to delete", Send: post("?delete=", "<Delete>"+strings.Repeat("<Object/>", mib/2)+"</Delete>"), Want: "HTTP/1.1 400 "},
		{Name: "a million attributes", Send: post("?delete=", "<Delete"+strings.Repeat(` a="b"`, mib)+"></Delete>"), Want: "HTTP/1.1 400 "},
		{Name: "9 MiB of XML", Send: post("?delete=", "<Delete>"+strings.Repeat(" ", 9*mib)), Want: "HTTP/1.1 400 "},
		{Name: "1 TB of XML", Send: s.head("s3", "POST", "/"+Bucket+"?delete=", unsigned, length(1_000_000_000_000)), Want: "HTTP/1.1 400 "},
		{Name: "a million parts", Send: post("/x?uploadId=none", "<CompleteMultipartUpload>"+strings.Repeat("<Part/>", mib)+"</CompleteMultipartUpload>"), Want: "HTTP/1.1 40"},
		{Name: "an object of 1 TB", Send: s.head("s3", "PUT", "/"+Bucket+"/x", unsigned, length(1_000_000_000_000)), Want: "HTTP/1.1 400 "},
		{Name: "an object without a length", Send: s.head("s3", "PUT", "/"+Bucket+"/x", unsigned, "Transfer-Encoding: chunked"), Want: "HTTP/1.1 411 "},
		{Name: "an aws-chunk of 16 EiB", Send: chunks("ffffffffffffffff\r\nhello"), Want: "HTTP/1.1 400 "},
		{Name: "an aws-chunk's signature of 1 MB", Send: chunks("5;chunk-signature=" + strings.Repeat("0", mib)), Want: "HTTP/1.1 400 "},
		{Name: "an aws-chunked trailer of 1 MB", Send: chunks("5\r\nhello\r\n0\r\n" + strings.Repeat("x-amz-checksum-crc32:AAAAAA==\r\n", mib/32)), Want: "HTTP/1.1 400 "},
		{Name: "a million aws-chunks", Send: chunks(strings.Repeat("1\r\nx\r\n", mib)), Want: "HTTP/1.1 400 "},
		{Name: "a hundred thousand ranges", Send: s.whole("s3", "GET", "/"+Bucket+"/none", "", "Range: bytes=0-0"+strings.Repeat(",1-1", 10_000), "Connection: close"), Want: "HTTP/1.1 404 "},
	}
}

// packed is front, and n bytes of rest over and over, by gzip.
func packed(front, rest string, n int) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, front+strings.Repeat(rest, n/len(rest)))
	_ = z.Close()
	return b.String()
}

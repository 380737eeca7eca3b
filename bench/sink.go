package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hydrant-go/hydrant/wire"
)

// sink is a process that takes every put call.
type sink struct {
	Endpoint string
	cert     string // file of the certificate that it shows, if it speaks TLS
	cmd      *exec.Cmd
}

// startSink starts one, which speaks TLS if it gets a certificate and its key.
func startSink(cert, key string) (*sink, error) {
	s := &sink{cert: cert, cmd: pinned(true, os.Args[0], "-role", "sink", "-cert", cert, "-key", key)}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, json.NewDecoder(out).Decode(s)
}

func (s *sink) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// taken is what a sink has taken since it was last asked.
type taken struct{ Calls, Bytes int64 }

// got wants the sink to have taken the bytes of a job, or a few more.
func (s *sink) got(j job) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: insecure}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(s.Endpoint)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var t taken
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil {
		return err
	}
	want := int64(j.Size) * int64(j.Records)
	if t.Bytes < want*98/100 { // some put records without their newline
		return fmt.Errorf("the sink has taken %d bytes of %d, in %d calls", t.Bytes, want, t.Calls)
	}
	return nil
}

// beSink prints where it listens, and serves.
func beSink(certFile, keyFile string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := sink{Endpoint: "http://" + l.Addr().String()}
	if certFile != "" {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return err
		}
		s.Endpoint = "https://" + l.Addr().String()
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		return err
	}
	return serve(l)
}

// serve runs a sink: it takes every put call and answers that all records are
// accepted, at as little cost as can be, so that the sender is what is measured.
func serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := takeCalls(c); err != nil && err != io.EOF {
				fmt.Fprintln(os.Stderr, "sink:", err)
			}
		}()
	}
}

func takeCalls(c net.Conn) error {
	r := bufio.NewReaderSize(c, 64<<10)
	var body, out []byte
	for {
		length, target := 0, ""
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if strings.TrimSpace(line) == "" {
				break
			}
			switch {
			case ok && strings.EqualFold(name, "content-length"):
				length, _ = strconv.Atoi(value)
			case ok && strings.EqualFold(name, "x-amz-target"):
				target = value
			}
		}
		if cap(body) < length {
			body = make([]byte, length)
		}
		body = body[:length]
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		status, answer := answerTo(target, body)
		out = fmt.Appendf(out[:0], "HTTP/1.1 %s\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amzn-Requestid: 1\r\nContent-Length: %d\r\n\r\n", status, len(answer))
		out = append(out, answer...)
		if _, err := c.Write(out); err != nil {
			return err
		}
	}
}

var (
	recordID = strings.Repeat("i", 224)
	answers  sync.Map // of calls, by their number of records
)

var calls, payload atomic.Int64

// countCall enters a call into the books and returns its number of records. The
// length of the base64 tells their raw bytes.
func countCall(body []byte) (n int) {
	for rest := body; ; n++ {
		i := bytes.Index(rest, []byte(`"Data"`))
		if i < 0 {
			calls.Add(1)
			return n
		}
		rest = rest[i+len(`"Data"`):]
		from := bytes.IndexByte(rest, '"') + 1
		size := bytes.IndexByte(rest[from:], '"')
		text := bytes.TrimRight(rest[from:from+size], "=")
		payload.Add(int64(len(text) * 3 / 4))
		rest = rest[from+size:]
	}
}

// described is a stream that hands S3 the bytes as they are.
const described = `{"DeliveryStreamDescription":{"DeliveryStreamName":"bench","DeliveryStreamARN":"arn:aws:firehose:us-east-1:000000000000:deliverystream/bench",` +
	`"DeliveryStreamStatus":"ACTIVE","DeliveryStreamType":"DirectPut","VersionId":"1","HasMoreDestinations":false,"Destinations":[{"DestinationId":"d",` +
	`"ExtendedS3DestinationDescription":{"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::b","BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":300},` +
	`"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"}}}]}}`

func answerTo(target string, body []byte) (status string, answer []byte) {
	_, op, _ := strings.Cut(target, ".")
	switch op {
	case "": // not Firehose: the bench asks
		text, _ := json.Marshal(taken{calls.Swap(0), payload.Swap(0)})
		return "200 OK", text
	case "DescribeDeliveryStream":
		return "200 OK", []byte(described)
	case "PutRecord":
		countCall(body)
		return "200 OK", wire.AppendPutRecordResponse(nil, recordID, false)
	case "PutRecordBatch":
		n := countCall(body)
		if a, ok := answers.Load(n); ok {
			return "200 OK", a.([]byte)
		}
		entries := make([]wire.PutEntry, n)
		for i := range entries {
			entries[i].RecordID = recordID
		}
		a := wire.AppendPutRecordBatchResponse(nil, wire.PutResponse{Entries: entries})
		answers.Store(n, a)
		return "200 OK", a
	}
	return "400 Bad Request", []byte(`{"__type":"AccessDeniedException","message":"a sink"}`)
}

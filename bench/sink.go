package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/hydrant-go/hydrant/wire"
)

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
				fmt.Println("sink:", err)
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

func answerTo(target string, body []byte) (status string, answer []byte) {
	_, op, _ := strings.Cut(target, ".")
	switch op {
	case "PutRecord":
		return "200 OK", wire.AppendPutRecordResponse(nil, recordID, false)
	case "PutRecordBatch":
		n := bytes.Count(body, []byte(`"Data"`))
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

func listen(secure bool) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || !secure {
		return l, err
	}
	cert, err := certificate()
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}), nil
}

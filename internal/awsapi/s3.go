package awsapi

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// S3 is signed in its own way: the path is encoded once, the body's hash is a header
// and may say that the body comes in signed chunks, and all of a signature may stand
// in the query.
//
// Kept: signatures in the header and in the query (presigned URLs), bodies with a
// hash, without one, and in chunks, whose signatures are checked as they come. A body
// that is not what was signed makes reading it fail at its end at the latest.
// Left out: the signatures and checksums of trailers, version 4a, forms of browsers.

const (
	s3Service       = "s3"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	streaming       = "STREAMING-"
	maxChunk        = 16 << 20
	maxPresigned    = 7 * 24 * time.Hour
)

// isS3 tells by the scope of its signature whether a call is S3's.
func isS3(r *http.Request) bool {
	const scope = "/" + s3Service + "/" + terminator
	if header := r.Header.Get("Authorization"); header != "" {
		return strings.Contains(header, scope)
	}
	return strings.HasSuffix(r.URL.Query().Get("X-Amz-Credential"), scope)
}

// serveS3 checks a call and has Config.S3 answer it.
func (f *front) serveS3(w http.ResponseWriter, r *http.Request, id string) {
	err := f.checkS3(r)
	if err == nil {
		f.S3.ServeHTTP(w, r)
		return
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		e = &wire.Error{Status: http.StatusBadRequest, Code: "InvalidRequest", Message: err.Error()}
	}
	e = asS3(e)
	f.Logger.LogAttrs(r.Context(), slog.LevelDebug, "call refused", slog.String("code", e.Code), slog.Any("error", err), slog.String("request_id", id))
	h := w.Header()
	h.Set("X-Amz-Request-Id", id)
	h.Set("Content-Type", "application/xml")
	h.Set("Connection", "close") // what is left of the body is not read
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		text, _ := xml.Marshal(struct { // strings can always be XML
			XMLName                  xml.Name `xml:"Error"`
			Code, Message, RequestId string
		}{Code: e.Code, Message: e.Message, RequestId: id})
		_, _ = w.Write(append([]byte(xml.Header), text...))
	}
}

// asS3 gives an error S3's code and status.
func asS3(e *wire.Error) *wire.Error {
	out := *e
	switch e.Code {
	case wire.CodeInvalidSignature:
		out.Status, out.Code = http.StatusForbidden, "SignatureDoesNotMatch"
		if strings.HasPrefix(e.Message, "Signature expired") || strings.HasPrefix(e.Message, "Signature not yet") {
			out.Code = "RequestTimeTooSkewed"
		} else if strings.HasPrefix(e.Message, "Credential should") {
			out.Status, out.Code = http.StatusBadRequest, "AuthorizationHeaderMalformed"
		}
	case wire.CodeUnrecognizedClient:
		out.Status, out.Code, out.Message = http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
	case wire.CodeIncompleteSignature:
		out.Status, out.Code = http.StatusBadRequest, "AuthorizationHeaderMalformed"
	case wire.CodeMissingAuthToken:
		out.Status, out.Code, out.Message = http.StatusForbidden, "AccessDenied", "Access Denied"
	}
	out.Status = cmp.Or(out.Status, http.StatusBadRequest)
	return &out
}

// checkS3 checks a call's signature and readies its body.
func (f *front) checkS3(r *http.Request) error {
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if f.NoAuth {
		return readyBody(r, payload, nil)
	}
	auth, stamp, err := f.authorizationS3(r)
	if err != nil {
		return err
	}
	secret, ok := f.Credentials[auth.key]
	if !ok {
		return wire.Errorf(wire.CodeUnrecognizedClient, "")
	}
	presigned := r.Header.Get("Authorization") == ""
	if payload == "" {
		if !presigned {
			return wire.Errorf("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
		}
		payload = unsignedPayload
	}
	canonical := auth.canonical(r, strings.ReplaceAll(awsEscape(r.URL.Path), "%2F", "/"), queryS3(r.URL.RawQuery), payload)
	key := auth.signingKey(secret)
	signature := auth.signText(key, algorithm, stamp, hashHex(canonical))
	if subtle.ConstantTimeCompare([]byte(signature), []byte(auth.signature)) != 1 {
		return invalid("The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	}
	return readyBody(r, payload, &chunkSigner{auth, key, stamp, signature})
}

// authorizationS3 takes the signature out of the header or the query, and checks its
// time and scope.
func (f *front) authorizationS3(r *http.Request) (a *authorization, stamp string, err error) {
	header := r.Header.Get("Authorization")
	if header != "" {
		if a, err = parseAuthorization(header); err == nil {
			err = a.check(r, s3Service)
		}
		return a, r.Header.Get("X-Amz-Date"), err
	}
	q := r.URL.Query()
	if q.Get("X-Amz-Algorithm") == "" {
		return nil, "", wire.Errorf(wire.CodeMissingAuthToken, "")
	}
	a, err = parseAuthorization(fmt.Sprintf("%s Credential=%s, SignedHeaders=%s, Signature=%s",
		q.Get("X-Amz-Algorithm"), q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature")))
	if err != nil {
		return nil, "", err
	}
	stamp = q.Get("X-Amz-Date")
	signed, err := time.Parse(isoTime, stamp)
	seconds, errExpires := strconv.Atoi(q.Get("X-Amz-Expires"))
	life, age := time.Duration(seconds)*time.Second, time.Since(signed)
	switch {
	case err != nil || a.service != s3Service || a.termination != terminator || stamp[:8] != a.date || !regionRE.MatchString(a.region):
		return nil, "", wire.Errorf("AuthorizationQueryParametersError", "X-Amz-Date and X-Amz-Credential must be of one day and of the service s3.")
	case errExpires != nil || life <= 0 || life > maxPresigned:
		return nil, "", wire.Errorf("AuthorizationQueryParametersError", "X-Amz-Expires must be 1 to 604800 seconds.")
	case age > life, age < -maxSkew:
		return nil, "", &wire.Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Request has expired"}
	}
	return a, stamp, nil
}

// queryS3 is the canonical query without the signature that may stand in it.
func queryS3(raw string) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != "X-Amz-Signature" {
			kept = append(kept, pair)
		}
	}
	return canonicalQuery(strings.Join(kept, "&"))
}

// readyBody has the body checked as it is read, by what the header says of it.
func readyBody(r *http.Request, payload string, signer *chunkSigner) error {
	switch {
	case strings.HasPrefix(payload, streaming):
		n, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || n < 0 {
			return &wire.Error{Status: http.StatusLengthRequired, Code: "MissingContentLength", Message: "You must provide the x-amz-decoded-content-length HTTP header."}
		}
		if !strings.Contains(payload, "-HMAC-SHA256-") {
			signer = nil // STREAMING-UNSIGNED-PAYLOAD-TRAILER
		}
		r.Body = &chunked{Closer: r.Body, r: bufio.NewReaderSize(r.Body, 64<<10), signer: signer, left: n}
		r.ContentLength = n
		if encoding := withoutChunked(r.Header.Get("Content-Encoding")); encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		} else {
			r.Header.Del("Content-Encoding")
		}
	case payload == "" || payload == unsignedPayload:
	default:
		r.Body = &hashed{ReadCloser: r.Body, sum: sha256.New(), want: payload, left: r.ContentLength}
	}
	return nil
}

func withoutChunked(encoding string) string {
	var kept []string
	for part := range strings.SplitSeq(encoding, ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}

// hashed is a body that fails at its end if it is not what was signed.
type hashed struct {
	io.ReadCloser
	sum  hash.Hash
	want string
	left int64 // -1 is unknown
}

var errBodyHash = errors.New("the body is not the one whose hash is in x-amz-content-sha256")

func (h *hashed) Read(b []byte) (int, error) {
	n, err := h.ReadCloser.Read(b)
	h.sum.Write(b[:n])
	h.left -= int64(n)
	if (err == io.EOF || h.left == 0 && n > 0) && hex.EncodeToString(h.sum.Sum(nil)) != h.want {
		return n, errBodyHash
	}
	return n, err
}

// chunkSigner makes the signatures of chunks, each of which hangs on the one before.
type chunkSigner struct {
	auth        *authorization
	key         []byte
	stamp, last string
}

func (s *chunkSigner) check(chunk []byte, signature string) error {
	s.last = s.auth.signText(s.key, algorithm+"-PAYLOAD", s.stamp, s.last+"\n"+hashHex(nil)+"\n"+hashHex(chunk))
	if subtle.ConstantTimeCompare([]byte(s.last), []byte(signature)) != 1 {
		return errors.New("the signature of a chunk does not match")
	}
	return nil
}

// chunked decodes a body in the encoding aws-chunked.
type chunked struct {
	io.Closer
	r      *bufio.Reader
	signer *chunkSigner // nil: chunks are not signed
	left   int64        // of the body, not in chunk yet
	chunk  []byte       // not read yet
	memory []byte
	err    error
}

func (c *chunked) Read(b []byte) (int, error) {
	for len(c.chunk) == 0 && c.err == nil {
		c.err = c.next()
	}
	n := copy(b, c.chunk)
	c.chunk = c.chunk[n:]
	// The last chunk is looked at together with the last bytes: who knows the length
	// reads no further.
	for len(c.chunk) == 0 && c.left == 0 && c.err == nil {
		c.err = c.next()
	}
	if n > 0 && (len(c.chunk) > 0 || c.err == io.EOF) {
		return n, nil
	}
	return n, c.err
}

// next reads a chunk. io.EOF is the end of the body, its trailer included.
func (c *chunked) next() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	text, extension, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(strings.TrimSpace(text), 16, 64)
	if err != nil || n < 0 || n > c.left || n > maxChunk {
		return fmt.Errorf("%q is not the head of a chunk that fits", line)
	}
	if int64(cap(c.memory)) < n {
		c.memory = make([]byte, n)
	}
	chunk := c.memory[:n]
	if _, err := io.ReadFull(c.r, chunk); err != nil {
		return io.ErrUnexpectedEOF
	}
	if c.signer != nil {
		signature, _ := strings.CutPrefix(extension, "chunk-signature=")
		if err := c.signer.check(chunk, signature); err != nil {
			return err
		}
	}
	if n == 0 {
		return c.trailer()
	}
	if line, err := c.line(); err != nil || line != "" {
		return errors.New("a chunk does not end where its head says")
	}
	c.left -= n
	c.chunk = chunk
	return nil
}

// trailer passes over what follows the last chunk.
func (c *chunked) trailer() error {
	if c.left != 0 {
		return io.ErrUnexpectedEOF
	}
	for {
		line, err := c.line()
		if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && line == "" {
			return io.EOF
		}
		if err != nil {
			return err
		}
	}
}

// line reads a line, which is short.
func (c *chunked) line() (string, error) {
	text, err := c.r.ReadSlice('\n')
	if err == io.EOF {
		return "", io.ErrUnexpectedEOF
	}
	return string(bytes.TrimRight(text, "\r\n")), err
}

func hashHex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

package awsapi

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hydrant-go/hydrant/wire"
)

// Bodies of S3's calls are checked while they are read, never kept in memory. Of one
// that is not what was signed the last bytes are withheld, and reading fails in
// their place with a [*wire.Error]. So whoever stores a body once it is there in
// whole, as [io.CopyN] tells it, stores nothing of such a one.
//
// Kept: hashes, signed chunks with and without trailers, unsigned chunks (API
// reference, signature calculations for chunked uploads).
// Left out: the checksums in trailers, which are read and not compared. How long a
// body may be, 5 GiB, is the matter of whoever reads it.

const (
	signedChunks        = algorithm + "-PAYLOAD"
	streamSigned        = "STREAMING-" + signedChunks
	streamSignedTrailer = streamSigned + "-TRAILER"
	streamTrailer       = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

	trailerSignature = "x-amz-trailer-signature"
	// maxTrailer is in bytes. S3's bound is not known; a checksum has at most 100.
	maxTrailer = 16 << 10
)

var (
	errBodyHash   = errorS3(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	errEndOfBody  = errorS3(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly")
	errNoLengthS3 = errorS3(http.StatusLengthRequired, "MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.")
)

// badChunks is what is refused of the encoding. How AWS words it is not known.
func badChunks(format string, args ...any) error {
	return errorS3(http.StatusBadRequest, "IncompleteBody", "The body is not in the encoding aws-chunked: "+format, args...)
}

// readyBody has the body decoded and checked as it is read, by what payload says of
// it. Nobody need read an empty body: it is checked at once.
func readyBody(r *http.Request, payload string, signer *chunkSigner) *wire.Error {
	switch payload {
	case "", unsignedPayload:
		return nil
	case streamSigned, streamSignedTrailer:
		return readyChunks(r, signer, payload == streamSignedTrailer)
	case streamTrailer:
		return readyChunks(r, nil, true)
	}
	want, err := hex.DecodeString(payload)
	if err != nil || len(want) != sha256.Size {
		return errorS3(http.StatusBadRequest, "InvalidArgument", "x-amz-content-sha256 must be %s, %s, %s, %s, or a valid sha256 value.",
			unsignedPayload, streamTrailer, streamSigned, streamSignedTrailer)
	}
	body := &hashed{ReadCloser: r.Body, sum: sha256.New(), want: want, left: r.ContentLength}
	if r.ContentLength == 0 && !body.good() {
		return errBodyHash
	}
	r.Body = body
	return nil
}

// hashed is a body with a hash.
type hashed struct {
	io.ReadCloser
	sum  hash.Hash
	want []byte
	left int64 // below 0: not known
}

func (h *hashed) good() bool { return bytes.Equal(h.sum.Sum(nil), h.want) }

// Read looks at the hash together with the last bytes: who knows the length reads no
// further. A bad body stays bad, as nothing comes after its end.
func (h *hashed) Read(b []byte) (int, error) {
	n, err := h.ReadCloser.Read(b)
	h.sum.Write(b[:n])
	h.left -= int64(n)
	if (err == io.EOF || h.left == 0) && !h.good() {
		return 0, errBodyHash
	}
	return n, err
}

// readyChunks undoes the encoding aws-chunked, also in the headers.
func readyChunks(r *http.Request, signer *chunkSigner, trailer bool) *wire.Error {
	n, err := strconv.ParseUint(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 63)
	if err != nil {
		return errNoLengthS3
	}
	body := &chunked{Closer: r.Body, r: bufio.NewReader(r.Body), signer: signer, trailer: trailer, left: int64(n), sum: sha256.New()}
	r.Body, r.ContentLength = body, int64(n)
	withoutChunked(r.Header)
	if n > 0 {
		return nil
	}
	r.Header.Del("Expect") // reading sends 100 Continue
	if err := body.end(); err != nil {
		return refusalS3(err)
	}
	body.err = io.EOF
	return nil
}

// refusalS3 is a body's failure as a refusal.
func refusalS3(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return errEndOfBody
}

func withoutChunked(h http.Header) {
	var kept []string
	for _, value := range h.Values("Content-Encoding") {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
				kept = append(kept, part)
			}
		}
	}
	h.Del("Content-Encoding")
	if len(kept) > 0 {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
}

// chunkSigner makes the signatures of chunks, each of which hangs on the one before.
type chunkSigner struct {
	auth        *authorization
	key         []byte
	stamp, last string
}

// check compares the signature of what has the given hashes.
func (s *chunkSigner) check(what, hashes, signature string) error {
	s.last = s.auth.signText(s.key, what, s.stamp, s.last+"\n"+hashes)
	if subtle.ConstantTimeCompare([]byte(s.last), []byte(signature)) != 1 {
		return errSignatureS3
	}
	return nil
}

// chunked is a body in the encoding aws-chunked: chunks of HEX[;chunk-signature=HEX]
// CRLF bytes CRLF, the last of them without bytes and their CRLF, then lines of a
// trailer, then an empty line. A chunk may be as long as the body: the Go SDK sends
// only one.
type chunked struct {
	io.Closer
	r       *bufio.Reader
	signer  *chunkSigner // nil: nothing is signed
	trailer bool         // there may be one, signed if the chunks are
	left    int64        // of the body
	chunk   int64        // of it, in this chunk
	sum     hash.Hash    // of the chunk so far
	claimed string       // the chunk's signature, as its head has it
	err     error        // of all reads to come
}

func (c *chunked) Read(b []byte) (int, error) {
	if c.err != nil || len(b) == 0 {
		return 0, c.err
	}
	n, err := c.read(b)
	if err != nil {
		c.err = err
		return 0, err
	}
	if c.left == 0 {
		c.err = io.EOF
	}
	return n, nil
}

// read reads a part of a chunk; with the body's last byte it reads the body's end, too.
func (c *chunked) read(b []byte) (int, error) {
	if c.chunk == 0 {
		if err := c.head(); err != nil {
			return 0, err
		}
		if c.chunk == 0 {
			return 0, badChunks("%d bytes are missing", c.left)
		}
	}
	n, err := c.r.Read(b[:min(int64(len(b)), c.chunk)])
	if n == 0 {
		return 0, cut(err)
	}
	if c.signer != nil {
		c.sum.Write(b[:n])
	}
	c.chunk -= int64(n)
	c.left -= int64(n)
	if c.chunk > 0 {
		return n, nil
	}
	if err := c.tail(); err != nil {
		return 0, err
	}
	if c.left == 0 {
		return n, c.end()
	}
	return n, nil
}

// cut is err of a body that ends too early.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errEndOfBody
	}
	return err
}

// head reads a chunk's first line.
func (c *chunked) head() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 63)
	if err != nil {
		return badChunks("%.50q does not begin with a length", line)
	}
	if int64(n) > c.left {
		return badChunks("a chunk of %d bytes where %d are left", n, c.left)
	}
	c.chunk = int64(n)
	c.claimed, _ = strings.CutPrefix(extension, "chunk-signature=")
	c.sum.Reset()
	return nil
}

// tail reads what follows a chunk's bytes.
func (c *chunked) tail() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	if line != "" {
		return badChunks("a chunk is longer than its head says")
	}
	return c.checkChunk()
}

func (c *chunked) checkChunk() error {
	if c.signer == nil {
		return nil
	}
	return c.signer.check(signedChunks, hashHex(nil)+"\n"+hex.EncodeToString(c.sum.Sum(nil)), c.claimed)
}

// end reads the last chunk and the trailer.
func (c *chunked) end() error {
	if err := c.head(); err != nil {
		return err
	}
	if err := c.checkChunk(); err != nil {
		return err
	}
	trailer, signature, err := c.readTrailer()
	if err != nil || c.signer == nil || !c.trailer {
		return err
	}
	return c.signer.check(algorithm+"-TRAILER", hashHex([]byte(trailer)), signature)
}

// readTrailer reads to the empty line. The signature, which is the last line before
// it, is of the others in the form name:value LF.
func (c *chunked) readTrailer() (trailer, signature string, err error) {
	for {
		line, err := c.line()
		if err != nil || line == "" {
			return trailer, signature, err
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(name), strings.TrimSpace(value)
		if !ok || !c.trailer || signature != "" || len(trailer) > maxTrailer {
			return "", "", badChunks("%.50q is not of its trailer", line)
		}
		if name == trailerSignature {
			signature = value
		} else {
			trailer += name + ":" + value + "\n"
		}
	}
}

// line reads a line, which is shorter than the reader's buffer.
func (c *chunked) line() (string, error) {
	text, err := c.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return "", badChunks("a line is too long")
	}
	if err != nil {
		return "", cut(err)
	}
	return string(bytes.TrimSuffix(text[:len(text)-1], []byte("\r"))), nil
}

func hashHex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

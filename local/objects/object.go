package objects

import (
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const (
	maxObject   = 5 << 30 // of one PutObject or part (user guide, uploading objects)
	maxKeyBytes = 1024
)

// etag is another for every content that a key has had. S3's is an MD5 sum, which
// would mean to read every object for a list, or for uploads in parts another
// thing: such have a dash, so that clients don't take them for a sum. This one
// has, too.
func etag(info fs.FileInfo) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %d", info.Size(), info.ModTime().UnixNano(), inode(info)))
	return fmt.Sprintf(`"%x-1"`, sum[:16])
}

var oneRange = regexp.MustCompile(`^bytes=(?:([0-9]+)-([0-9]*)|-[0-9]+)$`)

// setRange makes the Range header say what S3 would understand. AWS was seen to
// ignore one with more than one range, or that ends before it begins; and to
// answer for the first part of an object as for a range, which here is all of it.
func (c *call) setRange() error {
	switch c.query.Get("partNumber") {
	case "":
	case "1":
		c.r.Header.Set("Range", "bytes=0-")
		return nil
	default:
		return refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable")
	}
	m := oneRange.FindStringSubmatch(c.r.Header.Get("Range"))
	if m != nil && m[2] != "" {
		from, err := strconv.ParseUint(m[1], 10, 63)
		to, err2 := strconv.ParseUint(m[2], 10, 63)
		if err != nil || err2 != nil || to < from {
			m = nil
		}
	}
	if m == nil {
		c.r.Header.Del("Range")
	}
	return nil
}

// getObject is HeadObject as well: net/http leaves the body out.
func (h *Handler) getObject(c *call) error {
	if err := c.setRange(); err != nil {
		return err
	}
	f, encoding, err := h.dir.Open(c.bucket, c.key)
	if err != nil {
		return h.noObject(c.bucket, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set("ETag", etag(info))
	header.Set("Content-Type", "application/octet-stream")
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	for _, name := range []string{"Content-Type", "Content-Language", "Expires", "Cache-Control", "Content-Disposition", "Content-Encoding"} {
		if v := c.query.Get("response-" + strings.ToLower(name)); v != "" {
			header.Set(name, v)
		}
	}
	http.ServeContent(&content{ResponseWriter: c.w, h: h, c: c, size: info.Size()}, c.r, "", info.ModTime(), f)
	return nil
}

// content is what [http.ServeContent] writes to: it has S3's words for what is
// refused, and the length of encoded content too.
type content struct {
	http.ResponseWriter
	h      *Handler
	c      *call
	size   int64
	failed bool
}

func (w *content) WriteHeader(status int) {
	switch status {
	case http.StatusPreconditionFailed:
		w.fail(errPrecondition)
		return
	case http.StatusRequestedRangeNotSatisfiable:
		w.fail(errInvalidRange)
		return
	case http.StatusOK:
		w.Header().Set("Content-Length", strconv.FormatInt(w.size, 10))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *content) fail(err error) {
	w.failed = true
	w.Header().Del("X-Content-Type-Options")
	w.h.fail(w.c, err)
}

func (w *content) Write(b []byte) (int, error) {
	if w.failed {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// checkWrite refuses what would otherwise be written in another way than the
// client wants.
func (h *Handler) checkWrite(c *call) error {
	if len(c.key) > maxKeyBytes {
		return refuse(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if c.r.Header.Get(name) != "" {
			return refuse(http.StatusNotImplemented, "NotImplemented", "The local S3 does not have conditional writes (%s).", name)
		}
	}
	return h.needBucket(c.bucket)
}

func (h *Handler) putObject(c *call) error {
	if err := h.checkWrite(c); err != nil {
		return err
	}
	if source := c.r.Header.Get("X-Amz-Copy-Source"); source != "" {
		return h.copyObject(c, source)
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	info, err := h.dir.Create(c.r.Context(), c.bucket, c.key, c.contentEncoding(), body)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", etag(info))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// contentEncoding is the object's own: aws-chunked is the call's.
func (c *call) contentEncoding() string {
	var own []string
	for _, value := range c.r.Header.Values("Content-Encoding") {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && token != "aws-chunked" {
				own = append(own, token)
			}
		}
	}
	return strings.Join(own, ",")
}

// body returns what writes the request's body.
func (c *call) body() (func(io.Writer) error, error) {
	n := c.r.ContentLength
	switch {
	case n < 0:
		return nil, refuse(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	case n > maxObject:
		return nil, refuse(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	if d := c.r.Header.Get("X-Amz-Decoded-Content-Length"); d != "" && d != strconv.FormatInt(n, 10) {
		return nil, refuse(http.StatusNotImplemented, "NotImplemented", "The body is in the encoding aws-chunked, which nobody has decoded.")
	}
	return func(w io.Writer) error {
		_, err := io.CopyN(w, body{c.r.Body}, n)
		if errors.Is(err, io.EOF) {
			return errIncompleteBody
		}
		return err
	}, nil
}

// body tells the client's failures from the disk's.
type body struct{ io.Reader }

func (b body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errRequestTimeout
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("%w: %w", errIncompleteBody, err)
	}
	return n, err
}

// copyObject copies without a condition, and keeps the encoding unless told to
// replace all that it would keep.
func (h *Handler) copyObject(c *call, source string) error {
	path, err := url.PathUnescape(strings.TrimPrefix(source, "/"))
	bucket, key, ok := strings.Cut(path, "/")
	if err != nil || !ok {
		return refuse(http.StatusBadRequest, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	for name := range c.r.Header {
		if strings.HasPrefix(name, "X-Amz-Copy-Source-If-") {
			return refuse(http.StatusNotImplemented, "NotImplemented", "The local S3 does not have conditional writes (%s).", name)
		}
	}
	f, encoding, err := h.dir.Open(bucket, key)
	if err != nil {
		return h.noObject(bucket, err)
	}
	defer f.Close()
	if c.r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE" {
		encoding = c.contentEncoding()
	}
	info, err := h.dir.Create(c.r.Context(), c.bucket, c.key, encoding, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
	if err != nil {
		return err
	}
	return c.answer(struct {
		XMLName            xml.Name `xml:"CopyObjectResult"`
		XMLNS              string   `xml:"xmlns,attr"`
		LastModified, ETag string
	}{XMLNS: namespace, LastModified: formatTime(info.ModTime()), ETag: etag(info)})
}

func (h *Handler) deleteObject(c *call) error {
	err := h.needBucket(c.bucket)
	if err == nil {
		err = h.dir.Remove(c.bucket, c.key)
	}
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// namedObject is an object in the call that deletes some, and in the answer.
type namedObject struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
}

// namedObjects are as many as a call may delete.
type namedObjects []namedObject

func (l *namedObjects) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return appendXML((*[]namedObject)(l), maxKeys, d, start)
}

func (h *Handler) deleteObjects(c *call) error {
	if err := h.needBucket(c.bucket); err != nil {
		return err
	}
	var in struct {
		XMLName xml.Name `xml:"Delete"`
		Object  namedObjects
		Quiet   bool
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Object) == 0 {
		return refuse(http.StatusBadRequest, "MalformedXML", "A call deletes 1 to %d objects, not 0", maxKeys)
	}
	type failure struct{ Key, Code, Message string }
	answer := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		XMLNS   string   `xml:"xmlns,attr"`
		Deleted []namedObject
		Error   []failure
	}{XMLNS: namespace}
	for _, o := range in.Object {
		err := checkVersion(o.VersionID)
		if err == nil {
			err = h.dir.Remove(c.bucket, o.Key)
		}
		if err != nil {
			e := refusalFor(err)
			answer.Error = append(answer.Error, failure{o.Key, e.code, e.message})
		} else if !in.Quiet {
			answer.Deleted = append(answer.Deleted, o)
		}
	}
	return c.answer(answer)
}

// Package objects is an [http.Handler] that speaks S3's API over the folder that
// local/deliver/file keeps, so that any S3 client can list and read what a local
// Firehose has delivered, add to it and clean it up.
//
// Kept: ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation,
// ListObjects, ListObjectsV2 and ListObjectVersions, GetObject and HeadObject with
// ranges and conditions, PutObject, CopyObject, DeleteObject, DeleteObjects, the
// multipart upload with its lists. Of an object's headers the Content-Encoding is
// kept; its Content-Type is application/octet-stream, which is Firehose's.
//
// Left out, and refused by name: versioning, conditional writes, access control,
// tags and every other sub-resource. Left out, and not looked at: metadata of the
// user's, storage classes, encryption, checksums.
//
// Objects are files, so a key that can't be a path below a folder, or that lies
// below another object's, is refused with InvalidArgument. Where file names
// differ by more than their case or Unicode form, as S3's do, is the file
// system's matter.
package objects

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/wire"
)

// Config sets a Handler up.
type Config struct {
	// Dir is the folder, as Dir/BUCKET/KEY. It is made if need be. Required.
	Dir string
	// Region is what GetBucketLocation answers. Default us-east-1.
	Region string
	// Logger gets refused calls (debug) and failures of the disk (error).
	// Default slog.Default().
	Logger *slog.Logger
}

// Handler serves S3's API. It may serve any number of calls at once. It checks
// no signatures and sets no timeouts: those are for whoever mounts it. A body in
// the encoding aws-chunked must have been decoded, with Request.ContentLength
// being the decoded length. A body may fail to be read with a [*wire.Error]: the
// client gets it, and nothing is stored or done, even if it comes in place of the
// last bytes. The bucket is in the path, or in the host name as in
// bucket.localhost; a path is a key, so it must not have been cleaned.
type Handler struct {
	dir     *file.Dir
	region  string
	log     *slog.Logger
	uploads uploads
}

// New returns a Handler. Close it, or the parts of uploads that nobody has
// completed stay on the disk.
func New(cfg Config) (*Handler, error) {
	if cfg.Dir == "" {
		return nil, errors.New("objects: no folder to serve: set Config.Dir")
	}
	dir, err := file.New(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	h := &Handler{dir: dir, region: cmp.Or(cfg.Region, "us-east-1"), log: cfg.Logger}
	if h.log == nil {
		h.log = slog.Default()
	}
	return h, nil
}

// Close aborts all multipart uploads. Calls that come later are served.
func (h *Handler) Close() error { return h.uploads.abortAll() }

// call is one request on its way through the handler.
type call struct {
	w           http.ResponseWriter
	r           *http.Request
	query       url.Values
	bucket, key string
	operation   string
	id          string // of the request
}

// operations by method, what the path names, and sub-resource.
var operations = map[string]struct {
	name string
	run  func(*Handler, *call) error
}{
	"GET service": {"ListBuckets", (*Handler).listBuckets},

	"PUT bucket":          {"CreateBucket", (*Handler).createBucket},
	"HEAD bucket":         {"HeadBucket", (*Handler).headBucket},
	"DELETE bucket":       {"DeleteBucket", (*Handler).deleteBucket},
	"GET bucket":          {"ListObjects", (*Handler).listObjects},
	"GET bucket?location": {"GetBucketLocation", (*Handler).getBucketLocation},
	"GET bucket?uploads":  {"ListMultipartUploads", (*Handler).listMultipartUploads},
	"GET bucket?versions": {"ListObjectVersions", (*Handler).listVersions},
	"POST bucket?delete":  {"DeleteObjects", (*Handler).deleteObjects},

	"GET object":             {"GetObject", (*Handler).getObject},
	"HEAD object":            {"HeadObject", (*Handler).getObject},
	"PUT object":             {"PutObject", (*Handler).putObject},
	"DELETE object":          {"DeleteObject", (*Handler).deleteObject},
	"POST object?uploads":    {"CreateMultipartUpload", (*Handler).createMultipartUpload},
	"PUT object?uploadId":    {"UploadPart", (*Handler).uploadPart},
	"GET object?uploadId":    {"ListParts", (*Handler).listParts},
	"POST object?uploadId":   {"CompleteMultipartUpload", (*Handler).completeMultipartUpload},
	"DELETE object?uploadId": {"AbortMultipartUpload", (*Handler).abortMultipartUpload},
}

// ServeHTTP serves one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{w: w, r: r, query: r.URL.Query(), id: newRequestID()}
	w.Header().Set("X-Amz-Request-Id", c.id)
	w.Header().Set("X-Amz-Id-2", newID2())
	if r.ContentLength == 0 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		// net/http waits for a body to be read. botocore (1.43.11) takes the next
		// answer on the connection for a part of this one if it is not told so.
		w.WriteHeader(http.StatusContinue)
	}
	c.bucket, c.key = names(r)
	if err := h.run(c); err != nil {
		h.fail(c, err)
	}
}

func (h *Handler) run(c *call) error {
	sub, err := subResource(c.query)
	if err != nil {
		return err
	}
	op, ok := operations[c.r.Method+" "+c.what()+sub]
	if !ok {
		return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	}
	c.operation = op.name
	return op.run(h, c)
}

// names takes bucket and key from the host and the path.
func names(r *http.Request) (bucket, key string) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok {
		return bucket, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

func (c *call) what() string {
	switch {
	case c.bucket == "":
		return "service"
	case c.key == "":
		return "bucket"
	default:
		return "object"
	}
}

// parameters are those of our operations that may have no value. Any other
// parameter without a value names a sub-resource, such as ?tagging: to take it
// for the object itself would be wrong.
var parameters = map[string]bool{
	"prefix": true, "delimiter": true, "encoding-type": true, "max-keys": true, "fetch-owner": true, "marker": true,
	"start-after": true, "continuation-token": true, "key-marker": true, "upload-id-marker": true, "max-uploads": true,
	"part-number-marker": true, "max-parts": true, "versionId": true, "version-id-marker": true,
}

// subResource is the part of the query that is a part of an operation's name.
func subResource(query url.Values) (string, error) {
	if err := checkVersion(query.Get("versionId")); err != nil {
		return "", err
	}
	sub := ""
	for name := range query {
		switch {
		case name == "location" || name == "uploads" || name == "delete" || name == "uploadId" || name == "versions":
			sub = "?" + name
		case query.Get(name) == "" && !parameters[name]:
			return "", refuse(http.StatusNotImplemented, "NotImplemented", "The local S3 does not have the sub-resource ?%s.", name)
		}
	}
	return sub, nil
}

// checkVersion refuses versions, of which there is only the one that is there.
func checkVersion(id string) error {
	if id == "" || id == "null" {
		return nil
	}
	return refuse(http.StatusBadRequest, "InvalidArgument", "Invalid version id specified")
}

// answer answers with v in XML.
func (c *call) answer(v any) error {
	text, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	c.write(http.StatusOK, text)
	return nil
}

func (c *call) write(status int, text []byte) {
	h := c.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(xml.Header)+len(text)))
	c.w.WriteHeader(status)
	c.w.Write([]byte(xml.Header)) // an error means that nobody is there to be told
	c.w.Write(text)
}

// maxXML is the largest XML that is read: a thousand keys of 1,024 bytes, or
// 10,000 parts, and their tags need less.
const maxXML = 8 << 20

func (c *call) readXML(v any) error {
	body := http.MaxBytesReader(c.w, c.r.Body, maxXML)
	err := xml.NewDecoder(body).Decode(v)
	if err == nil {
		_, err = io.Copy(io.Discard, body) // it is good only if its end is
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "MalformedXML",
			"The XML you provided was not well-formed or did not validate against our published schema: %v", err)
	}
	return nil
}

// appendXML appends an element to a list of at most so many: more would take ten
// times the memory that they take in XML.
func appendXML[T any](list *[]T, most int, d *xml.Decoder, start xml.StartElement) error {
	if len(*list) == most {
		return fmt.Errorf("there are more than %d elements %s", most, start.Name.Local)
	}
	var v T
	if err := d.DecodeElement(&v, &start); err != nil {
		return err
	}
	*list = append(*list, v)
	return nil
}

// newRequestID returns an id in the form of S3's.
func newRequestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%X", b[:])
}

// newID2 returns what stands in x-amz-id-2, which is opaque.
func newID2() string {
	var b [48]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

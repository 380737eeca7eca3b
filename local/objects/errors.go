package objects

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/wire"
)

// refusal is an error that the client gets as it is. Codes and words are those
// of S3's API reference, error responses, where there is one.
type refusal struct {
	status        int
	code, message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, format string, args ...any) error {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

var (
	errNoSuchBucket   = &refusal{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	errNoSuchKey      = &refusal{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	errNoSuchUpload   = &refusal{http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."}
	errPrecondition   = &refusal{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	errInvalidRange   = &refusal{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"}
	errIncompleteBody = &refusal{http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"}
	errRequestTimeout = &refusal{http.StatusBadRequest, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period."}
	errInternal       = &refusal{http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."}
)

// refusalFor is the refusal that err is, or becomes. A body's own error says more
// than that the body is not whole.
func refusalFor(err error) *refusal {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return &refusal{e.Status, e.Code, e.Message}
	}
	if e, ok := errors.AsType[*refusal](err); ok {
		return e
	}
	if errors.Is(err, file.ErrName) {
		return &refusal{http.StatusBadRequest, "InvalidArgument", "The local S3 keeps objects in files: " + err.Error()}
	}
	return errInternal
}

// fail answers with an error.
func (h *Handler) fail(c *call, err error) {
	e := refusalFor(err)
	level := slog.LevelDebug
	if e == errInternal && c.r.Context().Err() == nil { // else nobody is there to read it, and err says only that
		level = slog.LevelError
	}
	h.log.LogAttrs(c.r.Context(), level, "call refused", slog.String("operation", c.operation), slog.String("code", e.code),
		slog.Any("error", err), slog.String("request_id", c.id))
	text, err := xml.Marshal(struct {
		XMLName                 xml.Name `xml:"Error"`
		Code, Message, Resource string
		RequestID               string `xml:"RequestId"`
		HostID                  string `xml:"HostId"`
	}{Code: e.code, Message: e.message, Resource: c.r.URL.Path, RequestID: c.id, HostID: c.w.Header().Get("X-Amz-Id-2")})
	if err != nil {
		panic("objects: an answer that cannot be XML: " + err.Error())
	}
	c.write(e.status, text)
}

// needBucket refuses calls to a bucket that is not there.
func (h *Handler) needBucket(bucket string) error {
	has, err := h.dir.HasBucket(bucket)
	if err == nil && !has {
		return errNoSuchBucket
	}
	return err
}

// noObject is err in S3's words if it says that there is no such object.
func (h *Handler) noObject(bucket string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := h.needBucket(bucket); err != nil {
		return err
	}
	return errNoSuchKey
}

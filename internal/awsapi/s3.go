package awsapi

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// S3 is signed in its own way: the path is encoded once, the body's hash is a header
// and may say that the body comes in signed chunks, and all of a signature may stand
// in the query (API reference, authenticating requests).
//
// Kept: signatures in the header and in the query (presigned URLs), and what S3 says
// of a bad one, with its statuses. AWS was seen to refuse x-amz-* headers that are
// not signed; x-amz-content-sha256 need not be, as its value is signed anyway.
// Left out: versions 2 and 4a, forms of browsers (POST), a Date header in place of
// x-amz-date, which region a bucket is in. A session token is not looked at.

const (
	s3Service       = "s3"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	maxPresigned    = 7 * 24 * time.Hour
)

// isS3 tells by the scope of its signature whether a call is S3's.
func isS3(r *http.Request) bool {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	return inScopeS3(credential) || isPresigned(r) && inScopeS3(r.URL.Query().Get("X-Amz-Credential")) || isVersion2(r)
}

// isVersion2 tells whether a call is signed in the way that only S3 ever had, and
// has not for new buckets. botocore (1.43.11), and so the AWS CLI, presigns so at an
// endpoint that is not AWS's, unless it is told otherwise.
func isVersion2(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "AWSAccessKeyId=") || strings.HasPrefix(r.Header.Get("Authorization"), "AWS ")
}

func isPresigned(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") }

func inScopeS3(credential string) bool {
	i := strings.LastIndexByte(credential, '/')
	return i >= 0 && strings.HasSuffix(credential[:i], "/"+s3Service)
}

// takesS3 tells whether S3 gets a call that is none of a service and not signed.
func (f *front) takesS3(r *http.Request) bool {
	return f.S3 != nil && f.NoAuth && (f.Mine == nil || !f.Mine(r))
}

// serveS3 checks a call and has Config.S3 answer it.
func (f *front) serveS3(c *Call) {
	delete(c.w.Header(), "X-Amzn-Requestid") // S3's is X-Amz-Request-Id
	// By its own request net/http tells what of the body is left to be read.
	r := c.r.Clone(c.r.Context())
	if err := f.checkS3(r); err != nil {
		f.failS3(c, err)
		return
	}
	if r.Method == http.MethodPost { // in XML, which S3 reads into memory
		text, err := c.read(r)
		if err == nil {
			err = c.admit(int64(len(text)))
		}
		if err != nil {
			f.failS3(c, xmlRefusalS3(err))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
	}
	f.S3.ServeHTTP(c.w, r)
}

// xmlRefusalS3 is what is wrong with the body of a call with XML, in S3's words
// (API reference, error responses).
func xmlRefusalS3(err error) *wire.Error {
	switch {
	case errors.Is(err, errTooLarge):
		return errorS3(http.StatusBadRequest, "MaxMessageLengthExceeded", "Your request was too large.")
	case errors.Is(err, errNoRoom):
		return errorS3(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errorS3(http.StatusBadRequest, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.")
	}
	return refusalS3(err)
}

func (f *front) failS3(c *Call, e *wire.Error) {
	f.Logger.LogAttrs(c.r.Context(), slog.LevelDebug, "call refused", slog.String("service", s3Service),
		slog.String("code", e.Code), slog.Any("error", e), slog.String("request_id", c.id))
	h := c.w.Header()
	h.Set("X-Amz-Request-Id", c.id)
	h.Set("Content-Type", "application/xml")
	text, err := xml.Marshal(struct {
		XMLName                 xml.Name `xml:"Error"`
		Code, Message, Resource string
		RequestID               string `xml:"RequestId"`
		HostID                  string `xml:"HostId"`
	}{Code: e.Code, Message: e.Message, Resource: c.r.URL.Path, RequestID: c.id, HostID: h.Get("X-Amz-Id-2")})
	if err != nil {
		panic("awsapi: an answer that cannot be XML: " + err.Error())
	}
	c.w.WriteHeader(e.Status)
	_, _ = c.w.Write(append([]byte(xml.Header), text...)) // an error means that nobody is there to be told
}

// errorS3 is an error in S3's words (API reference, error responses).
func errorS3(status int, code, format string, args ...any) *wire.Error {
	return &wire.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func malformedHeader(format string, args ...any) *wire.Error {
	return errorS3(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed; "+format, args...)
}

func malformedQuery(format string, args ...any) *wire.Error {
	return errorS3(http.StatusBadRequest, "AuthorizationQueryParametersError", format, args...)
}

func accessDenied(format string, args ...any) *wire.Error {
	return errorS3(http.StatusForbidden, "AccessDenied", format, args...)
}

var errSignatureS3 = errorS3(http.StatusForbidden, "SignatureDoesNotMatch",
	"The request signature we calculated does not match the signature you provided. Check your key and signing method.")

// signatureS3 is what a call says of how it is signed.
type signatureS3 struct {
	*authorization
	stamp   string // the time
	payload string // the body's hash, or how the body comes
}

// checkS3 checks a call's signature, and readies its body and headers.
func (f *front) checkS3(r *http.Request) *wire.Error {
	if f.NoAuth {
		return readyBody(r, r.Header.Get("X-Amz-Content-Sha256"), nil)
	}
	s, err := parseS3(r)
	if err != nil {
		return err
	}
	secret, ok := f.Credentials[s.key]
	if !ok {
		return errorS3(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	}
	path := strings.ReplaceAll(awsEscape(cmp.Or(r.URL.Path, "/")), "%2F", "/")
	canonical := s.canonical(r, path, queryS3(r.URL.RawQuery), s.payload)
	key := s.signingKey(secret)
	signature := s.signText(key, algorithm, s.stamp, hashHex(canonical))
	if subtle.ConstantTimeCompare([]byte(signature), []byte(s.signature)) != 1 {
		return errSignatureS3
	}
	if name := s.notSigned(r); name != "" {
		return accessDenied("There were headers present in the request which were not signed: %s", name)
	}
	return readyBody(r, s.payload, &chunkSigner{s.authorization, key, s.stamp, signature})
}

// notSigned names a header that had to be signed and is not.
func (s *signatureS3) notSigned(r *http.Request) string {
	if !slices.Contains(s.signedHeaders, "host") {
		return "host"
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && name != "x-amz-content-sha256" && !slices.Contains(s.signedHeaders, name) {
			return name
		}
	}
	return ""
}

func parseS3(r *http.Request) (*signatureS3, *wire.Error) {
	header := r.Header.Get("Authorization")
	switch {
	case isVersion2(r):
		return nil, errorS3(http.StatusBadRequest, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use %s. (For boto3 and the AWS CLI: set signature_version to s3v4.)", algorithm)
	case header != "" && isPresigned(r):
		return nil, errorS3(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")
	case header != "":
		return parseHeaderS3(r, header)
	default:
		return parseQueryS3(r.URL.Query(), r.Header)
	}
}

func parseHeaderS3(r *http.Request, header string) (*signatureS3, *wire.Error) {
	auth, err := parseAuthorization(header)
	if err != nil {
		text := err.Error()
		if e, ok := errors.AsType[*wire.Error](err); ok {
			text = e.Message
		}
		return nil, malformedHeader("%s", text)
	}
	s := &signatureS3{auth, r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Content-Sha256")}
	at, err := time.Parse(isoTime, s.stamp)
	if err != nil {
		return nil, accessDenied("AWS authentication requires a valid Date or x-amz-date header")
	}
	if what := s.wrongScope(); what != "" {
		return nil, malformedHeader("%s", what)
	}
	if s.payload == "" {
		return nil, errorS3(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	if time.Since(at).Abs() > maxSkew {
		return nil, errorS3(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	return s, nil
}

// wrongScope says what is wrong with the scope, if anything is. S3's words are not
// known for all of it.
func (s *signatureS3) wrongScope() string {
	switch {
	case s.termination != terminator:
		return fmt.Sprintf("incorrect terminal %q. This endpoint uses %q.", s.termination, terminator)
	case s.service != s3Service:
		return fmt.Sprintf("incorrect service %q. This endpoint belongs to %q.", s.service, s3Service)
	case !regionRE.MatchString(s.region):
		return fmt.Sprintf("the region %q is wrong", s.region)
	case s.date != s.stamp[:8]:
		return fmt.Sprintf("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", s.date, s.stamp[:8])
	}
	return ""
}

// parseQueryS3 takes a presigned URL's signature.
func parseQueryS3(q url.Values, header http.Header) (*signatureS3, *wire.Error) {
	for _, name := range []string{"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"} {
		if values := q["X-Amz-"+name]; len(values) != 1 || values[0] == "" {
			return nil, malformedQuery("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, malformedQuery("X-Amz-Algorithm only supports %q", algorithm)
	}
	auth := newAuthorization(q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature"))
	if auth == nil {
		return nil, malformedQuery("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
	}
	s := &signatureS3{auth, q.Get("X-Amz-Date"), cmp.Or(q.Get("X-Amz-Content-Sha256"), header.Get("X-Amz-Content-Sha256"), unsignedPayload)}
	at, err := time.Parse(isoTime, s.stamp)
	if err != nil {
		return nil, malformedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	if what := s.wrongScope(); what != "" {
		return nil, malformedQuery("Error parsing the X-Amz-Credential parameter; %s", what)
	}
	return s, checkExpiry(at, q.Get("X-Amz-Expires"))
}

// checkExpiry refuses a URL before and after its time.
func checkExpiry(at time.Time, expires string) *wire.Error {
	seconds, err := strconv.ParseUint(expires, 10, 31)
	life, age := time.Duration(seconds)*time.Second, time.Since(at)
	switch {
	case err != nil:
		return malformedQuery("X-Amz-Expires should be a number")
	case life == 0 || life > maxPresigned:
		return malformedQuery("X-Amz-Expires must be 1 to %d seconds", int(maxPresigned/time.Second))
	case age > life:
		return accessDenied("Request has expired")
	case age < -maxSkew:
		return accessDenied("Request is not yet valid")
	}
	return nil
}

// queryS3 is the canonical query without the signature that may stand in it.
func queryS3(raw string) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		if !strings.HasPrefix(pair, "X-Amz-Signature=") {
			kept = append(kept, pair)
		}
	}
	return canonicalQuery(strings.Join(kept, "&"))
}

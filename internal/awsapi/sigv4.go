package awsapi

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// Signatures of version 4, in the Authorization header, as every AWS SDK, the
// AWS CLI and curl --aws-sigv4 make them.
//
// Kept: headers, query and body are under the signature, which is 15 minutes
// good and only for its service. The JSON services of AWS answer a bad one with
// HTTP 400, and so does this.
// Left out, as S3 alone has them (s3.go): signatures in the query (presigned
// URLs), chunked bodies. Left out everywhere: version 4a. A session token is
// accepted and not looked at. A header that was not signed is accepted, apart
// from Host and X-Amz-Date.

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	isoTime    = "20060102T150405Z"
	// maxSkew is how far a signature's time may be from the server's.
	maxSkew = 15 * time.Minute
)

// authorization is a parsed Authorization header.
type authorization struct {
	key                                string // access key id
	date, region, service, termination string // the credential scope
	signedHeaders                      []string
	signature                          string
}

func (a *authorization) scope() string {
	return a.date + "/" + a.region + "/" + a.service + "/" + a.termination
}

var regionRE = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// parseAuthorization takes the header apart. The error is an [*wire.Error].
func parseAuthorization(header string) (*authorization, error) {
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return nil, incomplete("Authorization must begin with %s.", algorithm)
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if _, twice := fields[name]; !ok || twice {
			return nil, incomplete("Authorization must hold Credential, SignedHeaders and Signature, once each, as name=value with commas between.")
		}
		fields[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			return nil, incomplete("Authorization header requires '%s' parameter.", name)
		}
	}
	auth := newAuthorization(fields["Credential"], fields["SignedHeaders"], fields["Signature"])
	if auth == nil {
		return nil, incomplete("Credential must have at least 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	return auth, nil
}

// newAuthorization takes the credential apart; nil if it is none. A slash may stand
// in an access key id, not in what follows it.
func newAuthorization(credential, signedHeaders, signature string) *authorization {
	scope := strings.Split(credential, "/")
	n := len(scope) - 4
	if n < 1 {
		return nil
	}
	return &authorization{
		key:  strings.Join(scope[:n], "/"),
		date: scope[n], region: scope[n+1], service: scope[n+2], termination: scope[n+3],
		signedHeaders: strings.Split(signedHeaders, ";"),
		signature:     signature,
	}
}

func incomplete(format string, args ...any) error {
	return wire.Errorf(wire.CodeIncompleteSignature, format, args...)
}

func invalid(format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidSignature, format, args...)
}

// caller tells whose call it is, and refuses those who cannot prove it.
func (f *front) caller(r *http.Request, service string, body []byte) (Caller, error) {
	caller := Caller{Account: f.Account, Region: f.Region}
	header := r.Header.Get("Authorization")
	if header == "" && !f.NoAuth {
		return Caller{}, wire.Errorf(wire.CodeMissingAuthToken, "Missing Authentication Token")
	}
	auth, err := parseAuthorization(header)
	if f.NoAuth {
		if err == nil && regionRE.MatchString(auth.region) {
			caller.Region = auth.region
		}
		return caller, nil
	}
	if err == nil {
		err = auth.check(r, service)
	}
	if err != nil {
		return Caller{}, err
	}
	secret, ok := f.Credentials[auth.key]
	if !ok {
		return Caller{}, wire.Errorf(wire.CodeUnrecognizedClient, "The security token included in the request is invalid.")
	}
	if subtle.ConstantTimeCompare([]byte(auth.sign(secret, r, body)), []byte(auth.signature)) != 1 {
		return Caller{}, invalid("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	caller.Region = auth.region
	return caller, nil
}

// check tells what is wrong with a signature before its bytes are looked at: its
// headers, time and scope.
func (a *authorization) check(r *http.Request, service string) error {
	stamp := r.Header.Get("X-Amz-Date")
	signed, err := time.Parse(isoTime, stamp)
	switch {
	case err != nil:
		return incomplete("X-Amz-Date must be a time such as %s, not %q.", isoTime, stamp)
	case !slices.Contains(a.signedHeaders, "host"):
		return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	case !slices.Contains(a.signedHeaders, "x-amz-date"):
		return invalid("'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.")
	case a.termination != terminator:
		return invalid("Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, a.termination)
	case a.service != service:
		return invalid("Credential should be scoped to correct service: '%s'.", service)
	case !regionRE.MatchString(a.region):
		return invalid("Credential should be scoped to a valid region, not '%s'.", a.region)
	case len(a.date) != 8 || stamp[:8] != a.date:
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s', from '%s'.", a.date, stamp)
	}
	return checkTime(signed, time.Now().UTC())
}

func checkTime(signed, now time.Time) error {
	const minutes = int(maxSkew / time.Minute)
	at, t := now.Format(isoTime), signed.Format(isoTime)
	switch oldest, newest := now.Add(-maxSkew), now.Add(maxSkew); {
	case signed.Before(oldest):
		return invalid("Signature expired: %s is now earlier than %s (%s - %d min.)", t, oldest.Format(isoTime), at, minutes)
	case signed.After(newest):
		return invalid("Signature not yet current: %s is still later than %s (%s + %d min.)", t, newest.Format(isoTime), at, minutes)
	}
	return nil
}

// sign makes the signature that the request ought to have, or "" if there can
// be none.
func (a *authorization) sign(secret string, r *http.Request, body []byte) string {
	hash, ok := payloadHash(r, body)
	if !ok {
		return ""
	}
	// The path is encoded twice, the rule for every service but S3.
	path := strings.ReplaceAll(awsEscape(r.URL.EscapedPath()), "%2F", "/")
	canonical := a.canonical(r, path, canonicalQuery(r.URL.RawQuery), hash)
	return a.signText(a.signingKey(secret), algorithm, r.Header.Get("X-Amz-Date"), hashHex(canonical))
}

func (a *authorization) signingKey(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{a.date, a.region, a.service, a.termination} {
		key = mac(key, part)
	}
	return key
}

// signText signs what is said of a request or of a part of one.
func (a *authorization) signText(key []byte, what, stamp, text string) string {
	return hex.EncodeToString(mac(key, what+"\n"+stamp+"\n"+a.scope()+"\n"+text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// payloadHash is the body's hash as it went into the signature; ok is false if
// the client sent that of another body.
func payloadHash(r *http.Request, body []byte) (hash string, ok bool) {
	sent := r.Header.Get("X-Amz-Content-Sha256")
	if sent == unsignedPayload {
		return unsignedPayload, true
	}
	sum := sha256.Sum256(body)
	hash = hex.EncodeToString(sum[:])
	return hash, sent == "" || sent == hash
}

// canonical is the request as it is signed.
func (a *authorization) canonical(r *http.Request, path, query, payloadHash string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n%s\n", r.Method, path, query)
	for _, name := range a.signedHeaders {
		fmt.Fprintf(&b, "%s:%s\n", name, headerValue(r, name))
	}
	fmt.Fprintf(&b, "\n%s\n%s", strings.Join(a.signedHeaders, ";"), payloadHash)
	return b.Bytes()
}

// headerValue is a header's canonical value. net/http keeps two headers apart
// from the others.
func headerValue(r *http.Request, name string) string {
	values := r.Header.Values(name)
	switch {
	case name == "host":
		return r.Host
	case name == "content-length" && len(values) == 0 && r.ContentLength >= 0:
		return strconv.FormatInt(r.ContentLength, 10)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ",")
}

// canonicalQuery is the query with its pairs sorted and encoded one way. What
// cannot be decoded stays as it is.
func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var pairs [][2]string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, [2]string{reescape(name), reescape(value)})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + p[1])
	}
	return b.String()
}

func reescape(s string) string {
	plain, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return awsEscape(plain)
}

// awsEscape encodes all bytes but RFC 3986's unreserved ones.
func awsEscape(s string) string { return toRFC3986.Replace(url.QueryEscape(s)) }

var toRFC3986 = strings.NewReplacer("+", "%20", "%7E", "~")

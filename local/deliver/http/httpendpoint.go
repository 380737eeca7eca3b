// Package httpendpoint delivers records to an HTTP endpoint as Amazon Data
// Firehose does: requests, acknowledgements, retries, error codes and the error
// records of what could not be delivered.
//
// What is said here of AWS stands in its developer guide, on the pages "HTTP
// endpoint delivery request and response specifications", "Troubleshooting HTTP
// endpoints", "Handle data delivery failures" and, for the texts of errors,
// "Monitor using CloudWatch Logs", unless a comment says otherwise.
package httpendpoint

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of the configuration, from the service's API model. Lengths of URL,
// attributes and their names are in characters, of the access key in bytes.
const (
	MaxURL            = 1000
	MaxAccessKey      = 4096
	MaxAttributes     = 50
	MaxAttributeName  = 256
	MaxAttributeValue = 1024
	MaxRetryFor       = 2 * time.Hour
)

// DefaultTimeout is how long an endpoint has for its answer.
const DefaultTimeout = 3 * time.Minute

// connectTimeout is how long a connection may take, and then its TLS handshake.
// AWS's figure is not known; it only says that this can take too long.
const connectTimeout = 10 * time.Second

// Config says where and how to deliver. URL and SourceARN are required; the zero
// value of every other field is its default.
type Config struct {
	// URL gets the requests as it stands here, up to 1,000 characters:
	// https, and no other port than 443. A proxy that the environment names
	// (HTTPS_PROXY, NO_PROXY) is used, though not to reach localhost.
	URL string
	// AllowHTTP, which AWS does not have, lets URL be http and name any port.
	AllowHTTP bool
	// AccessKey is sent as it is, up to 4,096 bytes. Default: the header is
	// left out.
	AccessKey string
	// CommonAttributes are sent with every request, in this order. Up to 50,
	// with names of 1 to 256 characters that are not blank, each only once, and
	// values of up to 1,024. Default: the header is left out.
	CommonAttributes []Attribute
	// SourceARN is that of the delivery stream.
	SourceARN string
	// Gzip compresses the bodies of requests.
	Gzip bool
	// RetryFor is how long a failed request is sent again, 0 to 2 hours; see
	// Deliver. Default 0: not once.
	RetryFor time.Duration
	// Timeout is how long one attempt may take, from connecting to the end of
	// the answer. Default: the 3 minutes that AWS gives.
	Timeout time.Duration
	// TLS says which certificates are trusted, for an endpoint of one's own. It
	// is copied. Default: the system's.
	TLS *tls.Config

	// Attempted, if not nil, is told of each attempt that has ended, whether tried
	// again or not: the records of its request, and the code of its failure, "" for an
	// acknowledgement. It is called from the goroutine of Deliver and keeps nothing of
	// records.
	Attempted func(records [][]byte, code string)
	// Logger gets every failed attempt. Default slog.Default().
	Logger *slog.Logger
}

// Attribute is a name with a value that an endpoint gets beside the records.
type Attribute struct{ Name, Value string }

func (c *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := c.validateURL(); err != nil {
		errs = append(errs, err)
	}
	if c.SourceARN == "" || !sendable(c.SourceARN) {
		bad("SourceARN is %q, it must be the ARN of a delivery stream", c.SourceARN)
	}
	if len(c.AccessKey) > MaxAccessKey {
		bad("AccessKey has %d bytes, more than %d", len(c.AccessKey), MaxAccessKey)
	}
	if !sendable(c.AccessKey) {
		bad("AccessKey has a control character, which no HTTP header can carry: encode it, as in base64")
	}
	if c.RetryFor < 0 || c.RetryFor > MaxRetryFor {
		bad("RetryFor is %v, it must be 0 to %v", c.RetryFor, MaxRetryFor)
	}
	if c.Timeout < 0 {
		bad("Timeout is %v, it must not be negative", c.Timeout)
	}
	return errors.Join(append(errs, c.validateAttributes()...)...)
}

func (c *Config) validateURL() error {
	if n := utf8.RuneCountInString(c.URL); n > MaxURL {
		return fmt.Errorf("URL has %d characters, more than %d", n, MaxURL)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("URL: %w", err)
	}
	switch {
	case u.Hostname() == "":
		return fmt.Errorf("URL is %q, it names no host", c.URL)
	case u.User != nil:
		return errors.New("URL holds a user or a password: put what proves who sends into AccessKey")
	case u.Scheme == "http" && c.AllowHTTP, u.Scheme == "https" && (c.AllowHTTP || u.Port() == "" || u.Port() == "443"):
		return nil
	}
	return fmt.Errorf("URL is %q, it must be https and on port 443, as with AWS (AllowHTTP permits others)", c.URL)
}

func (c *Config) validateAttributes() (errs []error) {
	if n := len(c.CommonAttributes); n > MaxAttributes {
		errs = append(errs, fmt.Errorf("CommonAttributes has %d entries, more than %d", n, MaxAttributes))
	}
	seen := map[string]bool{}
	for _, a := range c.CommonAttributes {
		if n := utf8.RuneCountInString(a.Name); n > MaxAttributeName || strings.TrimSpace(a.Name) == "" {
			errs = append(errs, fmt.Errorf("CommonAttributes has the name %q, it must have 1 to %d characters and not be blank", a.Name, MaxAttributeName))
		}
		if n := utf8.RuneCountInString(a.Value); n > MaxAttributeValue {
			errs = append(errs, fmt.Errorf("CommonAttributes: the value of %q has %d characters, more than %d", a.Name, n, MaxAttributeValue))
		}
		if seen[a.Name] {
			errs = append(errs, fmt.Errorf("CommonAttributes has the name %q twice", a.Name))
		}
		seen[a.Name] = true
	}
	return errs
}

// sendable tells whether a header can carry s.
func sendable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// Endpoint delivers to one HTTP endpoint. Its methods may be called from many
// goroutines.
type Endpoint struct {
	cfg        Config
	url        *url.URL
	attributes string // the header, "" is none
	log        *slog.Logger
	transport  *http.Transport
}

// New checks cfg, and names every field that is not as it must be. It does not
// connect.
func New(cfg Config) (*Endpoint, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("HTTP endpoint: %w", err)
	}
	e := &Endpoint{cfg: cfg, attributes: encodeAttributes(cfg.CommonAttributes), log: cfg.Logger}
	e.url, _ = url.Parse(cfg.URL) // validate has
	if e.log == nil {
		e.log = slog.Default()
	}
	e.cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	e.transport = &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:     cfg.TLS.Clone(),
		TLSHandshakeTimeout: connectTimeout,
		DisableCompression:  true,             // an answer may not be compressed
		IdleConnTimeout:     30 * time.Second, // few endpoints keep one for longer
		WriteBufferSize:     64 << 10,
		Protocols:           new(http.Protocols),
	}
	e.transport.Protocols.SetHTTP1(true) // AWS was seen to use HTTP/1.1
	return e, nil
}

// Close closes the connections that are kept for the next request. The Endpoint
// can still be used.
func (e *Endpoint) Close() { e.transport.CloseIdleConnections() }

// encodeAttributes makes the header of common attributes. AWS was seen to write
// {"commonAttributes":{"name":"value"}} without spaces. What is not ASCII is
// escaped, as receivers differ in how they read it in a header; what AWS does
// with it is not known.
func encodeAttributes(attributes []Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	text := []byte(`{"commonAttributes":{`)
	for i, a := range attributes {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendASCII(text, a.Name)
		text = append(text, ':')
		text = appendASCII(text, a.Value)
	}
	return string(append(text, "}}"...))
}

// appendASCII appends s as a JSON string without a byte outside of ASCII.
func appendASCII(dst []byte, s string) []byte {
	for _, r := range string(appendJSON(nil, s)) {
		switch {
		case r < 0x7f:
			dst = append(dst, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
	}
	return dst
}

// appendJSON appends s as a JSON string, with <, > and & as they are.
func appendJSON(dst []byte, s string) []byte {
	w := bytes.NewBuffer(dst)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into memory
	return bytes.TrimSuffix(w.Bytes(), []byte("\n"))
}

// Package keepbody keeps the AWS SDK from breaking its own calls. The SDK closes
// a request's body as soon as the answer begins, which with a near or busy
// service can be before net/http has seen the body's end: it then takes the
// request for a failed one, breaks the connection in the middle of the answer,
// and the call is repeated although it went through. One call in some thousand
// was seen to go so.
package keepbody

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Client sends a copy of each request's body, which nobody closes.
type Client struct{ aws.HTTPClient }

// Do sends req.
func (c Client) Do(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.ContentLength <= 0 {
		return c.HTTPClient.Do(req)
	}
	body := make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, body)
	if err = errors.Join(err, req.Body.Close()); err != nil {
		return nil, err
	}
	req = req.WithContext(req.Context()) // a copy
	req.Body = io.NopCloser(bytes.NewReader(body))
	return c.HTTPClient.Do(req)
}

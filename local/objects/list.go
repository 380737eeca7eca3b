package objects

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxKeys is the most that a page holds (API reference, ListObjectsV2).
const maxKeys = 1000

// list is what is asked for.
type list struct {
	prefix, delimiter string
	after             string // a key or a group; what follows it is asked for
	max               int
}

// page is a part of a bucket's list.
type page struct {
	objects   []object
	groups    []string // what keys with a delimiter after the prefix have in common
	last      string   // key or group
	truncated bool
}

type object struct {
	Key, LastModified, ETag string
	Size                    int64
	Owner                   *owner `xml:",omitempty"`
	StorageClass            string
}

// group is what stands for key in the list, up to the first delimiter after the
// prefix; "" if the key stands for itself.
func (l *list) group(key string) string {
	rest, ok := strings.CutPrefix(key, l.prefix)
	if !ok || l.delimiter == "" {
		return ""
	}
	i := strings.Index(rest, l.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(l.prefix)+i+len(l.delimiter)]
}

// page makes the page. It skips what is not asked for by whole folders.
func (h *Handler) page(bucket string, l *list) (*page, error) {
	p := &page{}
	// Whose keys are done. A marker that is a group stands for all of its keys, as
	// a page may end with one; what S3 makes of a marker inside of a group is
	// UNVERIFIED: here the group follows it if any of its keys does.
	group := ""
	if l.group(l.after) == l.after {
		group = l.after
	}
	done := func(key string) bool { return group != "" && strings.HasPrefix(key, group) }
	enter := func(folder string) bool {
		return (strings.HasPrefix(folder, l.prefix) || strings.HasPrefix(l.prefix, folder)) &&
			(folder > l.after || strings.HasPrefix(l.after, folder)) && !done(folder)
	}
	for e, err := range h.dir.Objects(bucket, enter) {
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(e.Key, l.prefix) || e.Key <= l.after || done(e.Key) {
			continue
		}
		if len(p.objects)+len(p.groups) >= l.max {
			p.truncated = l.max > 0
			break
		}
		if group = l.group(e.Key); group != "" {
			p.groups = append(p.groups, group)
			p.last = group
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.objects = append(p.objects, object{Key: e.Key, LastModified: formatTime(info.ModTime()), ETag: etag(info), Size: info.Size(), StorageClass: "STANDARD"})
		p.last = e.Key
	}
	return p, nil
}

type commonPrefix struct{ Prefix string }

// listResult is the answer of both versions.
type listResult struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	XMLNS                 string   `xml:"xmlns,attr"`
	Name, Prefix          string
	Marker                *string `xml:",omitempty"` // version 1
	NextMarker            string  `xml:",omitempty"`
	StartAfter            string  `xml:",omitempty"` // version 2
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken string  `xml:",omitempty"`
	KeyCount              *int    `xml:",omitempty"`
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []object
	CommonPrefixes        []commonPrefix
}

// listObjects is both ListObjects and ListObjectsV2.
func (h *Handler) listObjects(c *call) error {
	encode, err := c.encoder()
	if err != nil {
		return err
	}
	limit, err := c.limit("max-keys", maxKeys)
	if err != nil {
		return err
	}
	q := c.query
	l := &list{prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), max: limit}
	v2 := q.Get("list-type") == "2"
	if l.after, err = c.after(v2); err != nil {
		return err
	}
	p, err := h.page(c.bucket, l)
	if err != nil {
		return h.noObject(c.bucket, err)
	}
	answer := &listResult{
		XMLNS: namespace, Name: c.bucket, Prefix: encode(l.prefix), Delimiter: encode(l.delimiter),
		MaxKeys: l.max, EncodingType: q.Get("encoding-type"), IsTruncated: p.truncated, Contents: p.objects,
	}
	for i := range answer.Contents {
		o := &answer.Contents[i]
		o.Key = encode(o.Key)
		if !v2 || q.Get("fetch-owner") == "true" {
			o.Owner = &everybody
		}
	}
	for _, group := range p.groups {
		answer.CommonPrefixes = append(answer.CommonPrefixes, commonPrefix{encode(group)})
	}
	if v2 {
		answer.version2(p, encode(q.Get("start-after")), q.Get("continuation-token"))
	} else {
		answer.version1(p, l, encode)
	}
	return c.answer(answer)
}

func (r *listResult) version1(p *page, l *list, encode func(string) string) {
	marker := encode(l.after)
	r.Marker = &marker
	if p.truncated && l.delimiter != "" { // without one, the last key is the next marker (API reference, ListObjects)
		r.NextMarker = encode(p.last)
	}
}

func (r *listResult) version2(p *page, startAfter, token string) {
	n := len(p.objects) + len(p.groups)
	r.KeyCount = &n
	r.StartAfter, r.ContinuationToken = startAfter, token
	if p.truncated {
		r.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(p.last))
	}
}

// after is where the last page ended.
func (c *call) after(v2 bool) (string, error) {
	if !v2 {
		return c.query.Get("marker"), nil
	}
	token := c.query.Get("continuation-token")
	if token == "" {
		return c.query.Get("start-after"), nil
	}
	last, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
	}
	return string(last), nil
}

// limit is a parameter that bounds a page, at most the page's own bound.
func (c *call) limit(name string, most int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return most, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, refuse(http.StatusBadRequest, "InvalidArgument", "Provided %s not an integer or within integer range", name)
	}
	return min(int(n), most), nil
}

// encoder encodes the keys in an answer as the client wants them.
func (c *call) encoder() (func(string) string, error) {
	switch c.query.Get("encoding-type") {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }, nil
	default:
		return nil, refuse(http.StatusBadRequest, "InvalidArgument", "Invalid Encoding Method specified in Request")
	}
}

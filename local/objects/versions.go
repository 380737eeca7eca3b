package objects

import (
	"encoding/xml"
	"net/http"
)

// onlyVersion is the id of each object's one version, as of those that a bucket
// holds which never had versions (API reference, ListObjectVersions).
const onlyVersion = "null"

type version struct {
	Key                string
	VersionID          string `xml:"VersionId"`
	IsLatest           bool
	LastModified, ETag string
	Size               int64
	Owner              owner
	StorageClass       string
}

// listVersions lists what is there, as versions. Buckets have no versioning, so there
// are no others, and no delete markers.
func (h *Handler) listVersions(c *call) error {
	encode, err := c.encoder()
	if err != nil {
		return err
	}
	limit, err := c.limit("max-keys", maxKeys)
	if err != nil {
		return err
	}
	q := c.query
	if q.Get("version-id-marker") != "" && q.Get("key-marker") == "" {
		return refuse(http.StatusBadRequest, "InvalidArgument", "A version-id marker cannot be specified without a key marker.")
	}
	l := &list{prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), after: q.Get("key-marker"), max: limit}
	p, err := h.page(c.bucket, l)
	if err != nil {
		return h.noObject(c.bucket, err)
	}
	answer := struct {
		XMLName                 xml.Name `xml:"ListVersionsResult"`
		XMLNS                   string   `xml:"xmlns,attr"`
		Name, Prefix            string
		KeyMarker               string
		VersionIDMarker         string `xml:"VersionIdMarker"`
		NextKeyMarker           string `xml:",omitempty"`
		NextVersionIDMarker     string `xml:"NextVersionIdMarker,omitempty"`
		MaxKeys                 int
		Delimiter, EncodingType string `xml:",omitempty"`
		IsTruncated             bool
		Version                 []version
		CommonPrefixes          []commonPrefix
	}{
		XMLNS: namespace, Name: c.bucket, Prefix: encode(l.prefix), KeyMarker: encode(l.after), VersionIDMarker: q.Get("version-id-marker"),
		MaxKeys: l.max, Delimiter: encode(l.delimiter), EncodingType: q.Get("encoding-type"), IsTruncated: p.truncated,
	}
	for _, o := range p.objects {
		answer.Version = append(answer.Version, version{encode(o.Key), onlyVersion, true, o.LastModified, o.ETag, o.Size, everybody, o.StorageClass})
	}
	for _, group := range p.groups {
		answer.CommonPrefixes = append(answer.CommonPrefixes, commonPrefix{encode(group)})
	}
	if p.truncated {
		answer.NextKeyMarker = encode(p.last)
		if l.group(p.last) != p.last { // a group has no versions
			answer.NextVersionIDMarker = onlyVersion
		}
	}
	return c.answer(answer)
}

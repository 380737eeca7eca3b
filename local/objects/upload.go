package objects

import (
	"cmp"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/local/deliver/file"
)

const (
	maxPartNumber = 10_000
	minPart       = 5 << 20 // but for the last (user guide, multipart upload limits)
	// maxUploads is how many may be under way. S3 has no such limit; it lists so
	// many in one page. Beyond it the one goes that has been left for longest, if
	// that is abandoned or more: nobody may ever end it.
	maxUploads = 1000
	abandoned  = 5 * time.Minute
)

// uploads are the multipart uploads under way. They live in memory, their parts
// on the disk.
type uploads struct {
	mu   sync.Mutex // guards the fields below, and the parts of each upload; never held over I/O
	byID map[string]*upload
}

type upload struct {
	bucket, key string
	encoding    string
	initiated   time.Time
	used        time.Time // when it was last called for
	parts       map[int]*file.Part
}

// add also returns an upload that had to go, if there is one.
func (u *uploads) add(up *upload) (id string, gone *upload, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.byID) >= maxUploads {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(u.byID)), func(a, b string) int { return u.byID[a].used.Compare(u.byID[b].used) })
		if gone = u.byID[oldest]; time.Since(gone.used) < abandoned {
			return "", nil, refuse(http.StatusServiceUnavailable, "SlowDown", "%d multipart uploads are under way: complete or abort some.", maxUploads)
		}
		delete(u.byID, oldest)
	}
	if u.byID == nil {
		u.byID = map[string]*upload{}
	}
	id = rand.Text()
	up.used = up.initiated
	u.byID[id] = up
	return id, gone, nil
}

func (u *uploads) getLocked(c *call) (*upload, error) {
	up := u.byID[c.query.Get("uploadId")]
	if up == nil || up.bucket != c.bucket || up.key != c.key {
		return nil, errNoSuchUpload
	}
	up.used = time.Now()
	return up, nil
}

// check is nil if the call's upload is under way.
func (u *uploads) check(c *call) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, err := u.getLocked(c)
	return err
}

// setPart gives the call's upload a part, and returns the one that it replaces.
func (u *uploads) setPart(c *call, n int, part *file.Part) (earlier *file.Part, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up, err := u.getLocked(c)
	if err != nil {
		return nil, err
	}
	earlier = up.parts[n]
	up.parts[n] = part
	return earlier, nil
}

// take takes the call's upload out if check accepts its parts. Whoever has taken
// it owns it.
func (u *uploads) take(c *call, check func(*upload) error) (*upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up, err := u.getLocked(c)
	if err == nil {
		err = check(up)
	}
	if err != nil {
		return nil, err
	}
	delete(u.byID, c.query.Get("uploadId"))
	return up, nil
}

// giveBack undoes take.
func (u *uploads) giveBack(c *call, up *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byID[c.query.Get("uploadId")] = up
}

func (u *uploads) abortAll() error {
	u.mu.Lock()
	all := slices.Collect(maps.Values(u.byID))
	clear(u.byID)
	u.mu.Unlock()
	var errs []error
	for _, up := range all {
		errs = append(errs, up.remove())
	}
	return errors.Join(errs...)
}

// remove removes the parts of an upload that is not under way any more.
func (up *upload) remove() error {
	var errs []error
	for _, part := range up.parts {
		errs = append(errs, part.Remove())
	}
	return errors.Join(errs...)
}

func (h *Handler) createMultipartUpload(c *call) error {
	if err := h.checkWrite(c); err != nil {
		return err
	}
	id, gone, err := h.uploads.add(&upload{
		bucket: c.bucket, key: c.key, encoding: c.contentEncoding(), initiated: time.Now(), parts: map[int]*file.Part{},
	})
	if err != nil {
		return err
	}
	if gone != nil {
		h.log.Warn("an abandoned upload was aborted", slog.String("bucket", gone.bucket), slog.String("key", gone.key))
		if err := gone.remove(); err != nil {
			h.log.Error("the parts of an upload are left", slog.Any("error", err))
		}
	}
	return c.answer(struct {
		XMLName     xml.Name `xml:"InitiateMultipartUploadResult"`
		XMLNS       string   `xml:"xmlns,attr"`
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}{XMLNS: namespace, Bucket: c.bucket, Key: c.key, UploadID: id})
}

func (h *Handler) uploadPart(c *call) error {
	n, err := strconv.Atoi(c.query.Get("partNumber"))
	switch {
	case err != nil || n < 1 || n > maxPartNumber:
		return refuse(http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and %d, inclusive", maxPartNumber)
	case c.r.Header.Get("X-Amz-Copy-Source") != "":
		return refuse(http.StatusNotImplemented, "NotImplemented", "The local S3 does not have UploadPartCopy.")
	}
	if err := h.uploads.check(c); err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	part, err := h.dir.Stage(body)
	if err != nil {
		return err
	}
	earlier, err := h.uploads.setPart(c, n, part)
	if err != nil { // the upload was completed or aborted meanwhile
		return errors.Join(err, part.Remove())
	}
	if earlier != nil {
		if err := earlier.Remove(); err != nil {
			return err
		}
	}
	c.w.Header().Set("ETag", etag(part))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// namedPart is a part in the call that completes an upload.
type namedPart struct {
	PartNumber int
	ETag       string
}

// namedParts are as many as an upload may have.
type namedParts []namedPart

func (l *namedParts) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return appendXML((*[]namedPart)(l), maxPartNumber, d, start)
}

func (h *Handler) completeMultipartUpload(c *call) error {
	var in struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    namedParts
	}
	if err := h.checkWrite(c); err != nil {
		return err
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	up, err := h.uploads.take(c, func(up *upload) error { return up.accepts(in.Part) })
	if err != nil {
		return err
	}
	info, err := h.dir.Create(c.r.Context(), c.bucket, c.key, up.encoding, func(w io.Writer) error {
		for _, p := range in.Part {
			if _, err := up.parts[p.PartNumber].WriteTo(w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.uploads.giveBack(c, up)
		return err
	}
	if err := up.remove(); err != nil {
		h.log.Warn("parts of a completed upload stay on the disk", slog.Any("error", err), slog.String("request_id", c.id))
	}
	return c.answer(struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		XMLNS                       string   `xml:"xmlns,attr"`
		Location, Bucket, Key, ETag string
	}{XMLNS: namespace, Location: "http://" + c.r.Host + c.r.URL.EscapedPath(), Bucket: c.bucket, Key: c.key, ETag: etag(info)})
}

// accepts tells whether an object can be made of the named parts.
func (up *upload) accepts(named []namedPart) error {
	if len(named) == 0 {
		return refuse(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	for i, p := range named {
		part := up.parts[p.PartNumber]
		switch {
		case i > 0 && p.PartNumber <= named[i-1].PartNumber:
			return refuse(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		case part == nil || strings.Trim(p.ETag, `"`) != strings.Trim(etag(part), `"`):
			return refuse(http.StatusBadRequest, "InvalidPart",
				"One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		case i < len(named)-1 && part.Size() < minPart:
			return refuse(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
	}
	return nil
}

func (h *Handler) abortMultipartUpload(c *call) error {
	up, err := h.uploads.take(c, func(*upload) error { return nil })
	if err == nil {
		err = up.remove()
	}
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) listParts(c *call) error {
	limit, err := c.limit("max-parts", maxKeys)
	if err != nil {
		return err
	}
	after, err := c.limit("part-number-marker", maxPartNumber)
	if err != nil {
		return err
	}
	if c.query.Get("part-number-marker") == "" {
		after = 0
	}
	type part struct {
		PartNumber         int
		LastModified, ETag string
		Size               int64
	}
	answer := struct {
		XMLName              xml.Name `xml:"ListPartsResult"`
		XMLNS                string   `xml:"xmlns,attr"`
		Bucket, Key          string
		UploadID             string `xml:"UploadId"`
		Initiator, Owner     owner
		StorageClass         string
		PartNumberMarker     int
		NextPartNumberMarker int
		MaxParts             int
		IsTruncated          bool
		Part                 []part
	}{
		XMLNS: namespace, Bucket: c.bucket, Key: c.key, UploadID: c.query.Get("uploadId"), Initiator: everybody, Owner: everybody,
		StorageClass: "STANDARD", PartNumberMarker: after, MaxParts: limit,
	}
	parts, err := h.uploads.parts(c)
	if err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(parts)) {
		if n <= after {
			continue
		}
		if len(answer.Part) == limit {
			answer.IsTruncated = true
			break
		}
		answer.Part = append(answer.Part, part{n, formatTime(parts[n].ModTime()), etag(parts[n]), parts[n].Size()})
		answer.NextPartNumberMarker = n
	}
	return c.answer(answer)
}

// parts returns a copy of the call's upload's parts.
func (u *uploads) parts(c *call) (map[int]*file.Part, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up, err := u.getLocked(c)
	if err != nil {
		return nil, err
	}
	return maps.Clone(up.parts), nil
}

// listedUpload is an upload in a list.
type listedUpload struct {
	Key              string
	UploadID         string `xml:"UploadId"`
	Initiator, Owner owner
	StorageClass     string
	Initiated        string
}

// listMultipartUploads lists all uploads in one page.
func (h *Handler) listMultipartUploads(c *call) error {
	if err := h.needBucket(c.bucket); err != nil {
		return err
	}
	encode, err := c.encoder()
	if err != nil {
		return err
	}
	prefix := c.query.Get("prefix")
	list := h.uploads.list(c.bucket, prefix)
	for i := range list {
		list[i].Key = encode(list[i].Key)
	}
	return c.answer(struct {
		XMLName        xml.Name `xml:"ListMultipartUploadsResult"`
		XMLNS          string   `xml:"xmlns,attr"`
		Bucket, Prefix string
		KeyMarker      string
		MaxUploads     int
		EncodingType   string `xml:",omitempty"`
		IsTruncated    bool
		Upload         []listedUpload
	}{
		XMLNS: namespace, Bucket: c.bucket, Prefix: encode(prefix), MaxUploads: maxUploads,
		EncodingType: c.query.Get("encoding-type"), Upload: list,
	})
}

// list lists a bucket's uploads by key, and those of a key by age.
func (u *uploads) list(bucket, prefix string) (list []listedUpload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, up := range u.byID {
		if up.bucket == bucket && strings.HasPrefix(up.key, prefix) {
			list = append(list, listedUpload{up.key, id, everybody, everybody, "STANDARD", formatTime(up.initiated)})
		}
	}
	slices.SortFunc(list, func(a, b listedUpload) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Initiated, b.Initiated))
	})
	return list
}

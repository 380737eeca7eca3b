package server

import "cmp"

// overHTTP takes an HttpEndpointDestinationConfiguration or an
// HttpEndpointDestinationUpdate, over what was there before, nil for nothing,
// which it leaves as it is.
func (o *object) overHTTP(was *HTTPDestination) *HTTPDestination {
	var s3 *S3Destination
	if was != nil {
		s3 = &was.S3
	}
	d := own(was, HTTPDestination{
		SizeInMBs: defaultSizeInMBs, IntervalInSeconds: defaultIntervalInSeconds, RetrySeconds: defaultRetrySeconds, BackupMode: "FailedDataOnly",
	})
	o.owe("EndpointConfiguration", "S3"+o.in.suffix)
	o.within("EndpointConfiguration", func(o *object) {
		d.URL = o.required("Url", o.in.urls())
		set(&d.Name, o.limited("Name", endpointNames))
		set(&d.AccessKey, o.limited("AccessKey", accessKeys))
	})
	o.hints(&d.SizeInMBs, &d.IntervalInSeconds, 64)
	o.logging(&d.Logging)
	o.within("RequestConfiguration", func(o *object) { o.request(d) })
	set(&d.RoleARN, o.limited("RoleARN", roles))
	o.processing(&d.Processing, d.RoleARN)
	o.retrySeconds(&d.RetrySeconds)
	set(&d.BackupMode, o.oneOf("S3BackupMode", "FailedDataOnly", "AllData"))
	o.within("S3"+o.in.suffix, func(o *object) { d.S3 = *o.overS3(s3, (*object).s3) })
	o.within("SecretsManagerConfiguration", func(o *object) {
		d.Secrets = own(d.Secrets, SecretsManager{})
		o.need("Enabled")
		set(&d.Secrets.Enabled, o.flag("Enabled"))
		set(&d.Secrets.SecretARN, o.limited("SecretARN", secretARNs))
		set(&d.Secrets.RoleARN, o.limited("RoleARN", roles))
	})
	return d
}

// request takes a RequestConfiguration.
func (o *object) request(d *HTTPDestination) {
	set(&d.ContentEncoding, o.oneOf("ContentEncoding", "NONE", "GZIP"))
	if !o.has("CommonAttributes") {
		return
	}
	d.CommonAttributes = nil
	seen := map[string]bool{}
	o.each("CommonAttributes", 0, 50, func(o *object) {
		a := Attribute{o.required("AttributeName", attributeNames), o.required("AttributeValue", attributeValues)}
		if seen[a.Name] {
			// How the message ends is not known.
			o.in.fault("Http Endpoint Common Attributes have duplicate name %s", a.Name)
		}
		seen[a.Name] = true
		d.CommonAttributes = append(d.CommonAttributes, a)
	})
}

// check tells what does not go together in d, which has taken the place of was,
// nil for nothing or another type.
func (d *HTTPDestination) check(was *HTTPDestination) error {
	switch {
	case d.URL == "":
		// The rule is the API reference's, the words are ours.
		return invalid("EndpointConfiguration must be specified for an HTTP endpoint that was not there before: nothing is kept of a destination of another type")
	case was != nil && was.BackupMode == "AllData" && d.BackupMode != "AllData":
		return errBackup // AWS was seen to refuse that too
	case d.Secrets != nil && d.Secrets.Enabled && d.Secrets.SecretARN == "":
		return invalid("Invalid secret ARN: null")
	}
	return cmp.Or(d.S3.checkARNs(), d.Processing.check(), d.Logging.check(), d.S3.Logging.check())
}

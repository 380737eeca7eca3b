package server

import "cmp"

// overS3 takes the form of an S3 destination that take knows, over what was
// there before, nil for nothing, which it leaves as it is.
func (o *object) overS3(was *S3Destination, take func(*object, *S3Destination)) *S3Destination {
	d := own(was, S3Destination{CompressionFormat: "UNCOMPRESSED", BackupMode: "Disabled"})
	take(o, d)
	if d.SizeInMBs == 0 { // no hints were ever given: the least is 1
		d.SizeInMBs, d.IntervalInSeconds = defaultSizeInMBs, defaultIntervalInSeconds
		if d.Conversion.on() || d.Partitioning.on() {
			d.SizeInMBs = 128 // AWS was seen to store that for conversion; the CDK has it for both
		}
	}
	return d
}

// s3 takes an S3DestinationConfiguration or an S3DestinationUpdate, or what the
// extended forms share with them.
func (o *object) s3(d *S3Destination) {
	o.owe("RoleARN", "BucketARN")
	set(&d.RoleARN, o.limited("RoleARN", roles))
	set(&d.BucketARN, o.limited("BucketARN", buckets))
	set(&d.Prefix, o.limited("Prefix", prefixes))
	set(&d.ErrorOutputPrefix, o.limited("ErrorOutputPrefix", prefixes))
	o.hints(&d.SizeInMBs, &d.IntervalInSeconds, 128)
	set(&d.CompressionFormat, o.oneOf("CompressionFormat", "ZIP", "HADOOP_SNAPPY", "Snappy", "GZIP", "UNCOMPRESSED"))
	o.kmsKey(&d.KMSKeyARN)
	o.logging(&d.Logging)
}

// extendedS3 takes an ExtendedS3DestinationConfiguration or an
// ExtendedS3DestinationUpdate.
func (o *object) extendedS3(d *S3Destination) {
	o.s3(d)
	set(&d.FileExtension, o.limited("FileExtension", extensions))
	set(&d.CustomTimeZone, o.limited("CustomTimeZone", zones))
	o.processing(&d.Processing, d.RoleARN)
	set(&d.BackupMode, o.oneOf("S3BackupMode", "Disabled", "Enabled"))
	o.within("S3Backup"+o.in.suffix, func(o *object) { d.Backup = o.overS3(d.Backup, (*object).s3) })
	o.conversion(&d.Conversion)
	o.partitioning(&d.Partitioning)
}

// kmsKey takes an EncryptionConfiguration, which always replaces the one before.
func (o *object) kmsKey(arn *string) {
	o.within("EncryptionConfiguration", func(o *object) {
		*arn = ""
		none, some := o.oneOf("NoEncryptionConfig", "NoEncryption") != nil, false
		o.within("KMSEncryptionConfig", func(o *object) {
			*arn, some = o.required("AWSKMSKeyARN", objectKeys), true
		})
		if none == some {
			o.in.fault("Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified")
		}
	})
}

// partitioning takes a DynamicPartitioningConfiguration. It is off where nothing
// is said, as in Terraform; what AWS does is not known.
func (o *object) partitioning(p **Partitioning) {
	o.within("DynamicPartitioningConfiguration", func(o *object) {
		*p = own(*p, Partitioning{RetrySeconds: defaultRetrySeconds})
		set(&(*p).Enabled, o.flag("Enabled"))
		o.retrySeconds(&(*p).RetrySeconds)
	})
}

// check tells what does not go together in d, which has taken the place of was,
// nil for nothing or another type. AWS was seen to look at what an update results
// in, and at conversion in the order below; the order of the rest is ours.
func (d *S3Destination) check(was *S3Destination) error {
	if err := d.checkARNs(); err != nil {
		return err
	}
	if d.Conversion.on() {
		if err := d.checkConversion(); err != nil {
			return err
		}
	}
	if d.Partitioning.on() {
		if err := d.checkPartitioning(); err != nil {
			return err
		}
	}
	return cmp.Or(d.Processing.check(), d.checkBackup(was), d.Logging.check())
}

// checkARNs finds what an update has to name that cannot be merged.
func (d *S3Destination) checkARNs() error {
	if d.RoleARN == "" || d.BucketARN == "" {
		// The rule is the API reference's, the words are ours.
		return invalid("RoleARN and BucketARN must be specified for an S3 bucket that was not there before: nothing is kept of a destination of another type")
	}
	return nil
}

func (d *S3Destination) checkPartitioning() error {
	switch {
	case d.SizeInMBs < 64:
		return invalid("BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.")
	case d.IntervalInSeconds < 60:
		return invalid("BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.")
	case d.Processing == nil || !d.Processing.Enabled:
		return invalid("Processing Configuration is not enabled when DataPartitioning is enabled")
	case d.ErrorOutputPrefix == "":
		return invalid("The supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
	}
	return nil
}

func (d *S3Destination) checkBackup(was *S3Destination) error {
	if was != nil && was.BackupMode == "Enabled" && d.BackupMode != "Enabled" {
		return errBackup
	}
	if d.Backup == nil {
		if d.BackupMode == "Enabled" {
			return invalid("S3 backup destination configuration is required when enabling S3 backup.")
		}
		return nil
	}
	if err := d.Backup.checkARNs(); err != nil {
		return err
	}
	if d.Backup.IntervalInSeconds < 60 {
		// The bound is AWS's, as was seen; the words are ours.
		return invalid("The buffering interval of an S3 backup must be between 60 and 900 seconds.")
	}
	return d.Backup.Logging.check()
}

var errBackup = invalid("Disabling S3 backup is not currently supported.")

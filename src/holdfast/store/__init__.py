"""What packages a node holds: blobs named by digest, slots that survive a power cut."""

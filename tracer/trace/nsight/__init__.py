"""Reading Nsight Systems reports: `.sqlite` exports, and `.nsys-rep` through `nsys`."""
